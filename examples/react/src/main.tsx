import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { TickwireProvider } from "tickwire-client/react";
import { Watchlist } from "./watchlist";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <TickwireProvider url={location.origin}>
      <Watchlist />
    </TickwireProvider>
  </StrictMode>,
);

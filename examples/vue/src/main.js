import { createTickwire } from "tickwire-client/vue";
import { createApp } from "vue";
import Watchlist from "./Watchlist.vue";

createApp(Watchlist)
  .use(createTickwire({ url: location.origin }))
  .mount("#app");

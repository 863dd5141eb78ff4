export default function Layout({ children }) {
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <link rel="icon" href="data:," />
        <title>Tickwire on a server</title>
      </head>
      <body>{children}</body>
    </html>
  );
}

// Tells the viewer the API's URL: relative to this page. The document says so, too (`url: ./`), but the viewer resolves
// that relative to the host, so behind a proxy with a path prefix it would send requests elsewhere.
"use strict";
{
  const viewer = document.getElementById("api-reference");
  const url = new URL(".", location.href).href.replace(/\/$/, "");
  const servers = [{ url, description: "The server that serves this page." }];
  viewer.dataset.configuration = JSON.stringify({ ...JSON.parse(viewer.dataset.configuration), servers });
}

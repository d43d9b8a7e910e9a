// Tells the viewer where the API is: below the folder that this page is in. The document says so, too (`url: ./`), but the
// viewer takes that as relative to the host, so below a path of a proxy it would send requests elsewhere.
"use strict";
{
  const viewer = document.getElementById("api-reference");
  const url = new URL(".", location.href).href.replace(/\/$/, "");
  const servers = [{ url, description: "The server that serves this page." }];
  viewer.dataset.configuration = JSON.stringify({ ...JSON.parse(viewer.dataset.configuration), servers });
}

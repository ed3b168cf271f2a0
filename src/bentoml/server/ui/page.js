// Starts Swagger UI on this server's own document, and switches between the two tabs.
(function () {
  "use strict";

  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function applyTheme() {
    document.documentElement.classList.toggle("dark-mode", dark.matches);
  }
  applyTheme();
  dark.addEventListener("change", applyTheme);

  // The page's own folder: "/" or the prefix a reverse proxy publishes the server under.
  function base() {
    return new URL(".", window.location.href).pathname.replace(/\/$/, "");
  }

  function fail(text) {
    var box = document.getElementById("swagger-ui");
    box.textContent = "";
    var line = document.createElement("p");
    line.className = "wait";
    line.setAttribute("role", "alert");
    line.textContent = text;
    box.appendChild(line);
  }

  function loadDocument(attempt) {
    fetch("docs.json", { headers: { accept: "application/json" } })
      .then(function (answer) {
        if (answer.status === 503 && attempt < 60) {
          fail("The service is still being loaded…");
          window.setTimeout(function () { loadDocument(attempt + 1); }, 1000);
          return null;
        }
        if (!answer.ok) {
          throw new Error("docs.json was answered with status " + answer.status);
        }
        return answer.json();
      })
      .then(function (spec) {
        if (spec) {
          show(spec);
        }
      })
      .catch(function (error) {
        fail("The API description could not be read: " + error.message);
      });
  }

  function show(spec) {
    spec.servers = [{ url: base() || "/" }];
    window.SwaggerUIBundle({
      spec: spec,
      dom_id: "#swagger-ui",
      deepLinking: false,
      docExpansion: "list",
      defaultModelsExpandDepth: -1,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      validatorUrl: null,
      tagsSorter: function (a, b) { return a === "app" ? -1 : b === "app" ? 1 : a < b ? -1 : 1; },
    });
  }

  function setUpTabs() {
    var tabs = Array.prototype.slice.call(document.querySelectorAll("[role=tab]"));
    function select(tab, focus) {
      tabs.forEach(function (other) {
        var chosen = other === tab;
        other.setAttribute("aria-selected", String(chosen));
        other.tabIndex = chosen ? 0 : -1;
        document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
      });
      if (focus) {
        tab.focus();
      }
    }
    function choose(tab, focus) {
      select(tab, focus);
      window.history.replaceState(null, "", tab.id === "tab-readme" ? "#readme" : window.location.pathname);
    }
    tabs.forEach(function (tab, at) {
      tab.addEventListener("click", function () { choose(tab, false); });
      tab.addEventListener("keydown", function (event) {
        var step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (step) {
          choose(tabs[(at + step + tabs.length) % tabs.length], true);
        }
      });
    });
    if (tabs.length) {
      select(window.location.hash === "#readme" ? tabs[1] : tabs[0], false);
    }
  }

  document.addEventListener("DOMContentLoaded", function () {
    setUpTabs();
    loadDocument(0);
  });
})();

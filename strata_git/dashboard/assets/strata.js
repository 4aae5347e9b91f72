/* What the pages can do beyond being read: sort, filter, copy, find names, move the lineage. Nothing here is needed to
   read them. No text ever becomes markup: everything is put in as text. */
"use strict";
(function () {
  const make = (tag, options, ...inside) => {
    const node = Object.assign(document.createElement(tag), options || {});
    node.append(...inside);
    return node;
  };
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));

  /* tables: a button in every heading, aria-sort says what is so */

  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.key !== undefined ? cell.dataset.key : cell.textContent.trim();
  };

  function compare(a, b) {
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  }

  function sort(table, column, heading) {
    const number = heading.classList.contains("number");
    const now = heading.getAttribute("aria-sort");
    const down = now ? now === "ascending" : number;
    all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows).map((row, at) => [keyOf(row, column), at, row]);
    rows.sort(([a, i], [b, j]) => {
      const empty = (a === "" || b === "") && a !== b;
      return (empty || !down ? compare(a, b) : compare(b, a)) || i - j;
    });
    body.append(...rows.map((row) => row[2]));
  }

  all("table[data-sortable]").forEach((table) => {
    if (table.tBodies[0].rows.length < 2) return;
    all("thead th", table).forEach((heading, column) => {
      const button = make("button", { type: "button" }, heading.textContent);
      button.addEventListener("click", () => sort(table, column, heading));
      heading.replaceChildren(button);
    });
  });

  /* filter: words that must occur, and comparisons such as accuracy>0.9 with a column's heading */

  const COMPARISON = /^(.+?)(<=|>=|<|>|=)(-?[0-9.]+(?:e-?[0-9]+)?)$/i;

  function tests(text, headings) {
    return text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
      const found = COMPARISON.exec(word);
      const column = found ? headings.findIndex((heading) => heading === found[1]) : -1;
      if (column < 0) return (row) => row.textContent.toLowerCase().includes(word);
      const limit = Number(found[3]);
      const holds = { "<": (v) => v < limit, ">": (v) => v > limit, "<=": (v) => v <= limit, ">=": (v) => v >= limit, "=": (v) => v === limit }[found[2]];
      return (row) => { const key = keyOf(row, column); return key !== "" && holds(Number(key)); };
    });
  }

  all("table[data-filtered]").forEach((table, number) => {
    const rows = Array.from(table.tBodies[0].rows);
    if (rows.length < 2) return;
    const headings = all("thead th", table).map((heading) => heading.textContent.toLowerCase().replace(/\s+/g, ""));
    const column = all("thead th", table).findIndex((heading) => heading.classList.contains("number"));
    const example = column < 0 ? "" : ", or " + headings[column] + ">" + Number((Number(keyOf(rows[0], column)) || 0).toPrecision(2));
    const input = make("input", { type: "search", id: "filter-" + number, autocomplete: "off", placeholder: "words" + example });
    input.setAttribute("spellcheck", "false");
    const told = make("span", { className: "quiet" });
    told.setAttribute("role", "status");
    const label = make("label", { htmlFor: input.id }, "Filter");
    table.closest(".scroll").before(make("div", { className: "filter" }, label, input, told));
    const lines = new Map(all(".parallel .run").map((line) => [line.dataset.row, line]));
    input.addEventListener("input", () => {
      const must = tests(input.value, headings);
      let shown = 0;
      rows.forEach((row) => {
        const fits = must.every((test) => test(row));
        row.hidden = !fits;
        shown += fits ? 1 : 0;
        const line = lines.get(row.dataset.row);
        if (line) line.classList.toggle("dim", !fits);
      });
      told.textContent = must.length ? shown + " of " + rows.length : "";
    });
  });

  /* the plot and the table of runs light up together */

  all(".parallel .run").forEach((line) => {
    const row = all("tr[data-row]").find((each) => each.dataset.row === line.dataset.row);
    if (!row) return;
    const light = (on) => () => { line.classList.toggle("lit", on); row.classList.toggle("lit", on); };
    [line, row].forEach((node) => {
      node.addEventListener("pointerenter", light(true));
      node.addEventListener("pointerleave", light(false));
    });
  });

  /* commands to copy */

  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = make("textarea", { value: text, readOnly: true, className: "hidden" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("not copied"));
  }

  all(".command").forEach((command) => {
    const text = command.querySelector("code").textContent;
    const button = make("button", { type: "button", className: "plain" }, "Copy");
    button.setAttribute("aria-label", "Copy: " + command.querySelector("p").textContent);
    button.addEventListener("click", () => {
      copy(text).then(() => { button.textContent = "Copied"; }, () => { button.textContent = "Select it"; })
        .then(() => setTimeout(() => { button.textContent = "Copy"; }, 1600));
    });
    command.append(button);
  });

  /* names: loaded when the box is used for the first time */

  const form = document.querySelector("form.search");
  const allowed = window.trustedTypes
    ? window.trustedTypes.createPolicy("strata", { createScriptURL: (url) => (url === form.dataset.names ? url : "about:blank") })
    : { createScriptURL: (url) => url };
  let loading = null;

  function names() {
    loading = loading || new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = allowed.createScriptURL(form.dataset.names);
      script.onload = () => resolve(window.strataNames || []);
      script.onerror = () => resolve([]);
      document.head.append(script);
    });
    return loading;
  }

  function matching(rows, text, most) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const found = rows.filter(([name]) => words.every((word) => name.includes(word)));
    return found.sort((a, b) => a[0].length - b[0].length).slice(0, most);
  }

  const toLink = ([name, page]) => make("li", null, make("a", { href: form.dataset.root + page }, name));

  if (form) {
    const input = form.querySelector("input");
    const answers = make("ul", { className: "answers", hidden: true });
    answers.setAttribute("aria-label", "Names found");
    form.append(answers);
    const close = () => { answers.hidden = true; };
    input.addEventListener("focus", names, { once: true });
    input.addEventListener("input", () => names().then((rows) => {
      const found = matching(rows, input.value, 8);
      answers.replaceChildren(...found.map(toLink));
      answers.hidden = !found.length;
    }));
    form.addEventListener("keydown", (event) => {
      const links = all("a", answers);
      const at = links.indexOf(document.activeElement);
      if (event.key === "Escape") { close(); input.focus(); }
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp" || answers.hidden) return;
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? input : links[Math.min(next, links.length - 1)]).focus();
    });
    document.addEventListener("pointerdown", (event) => { if (!form.contains(event.target)) close(); });
    document.addEventListener("focusin", (event) => { if (!form.contains(event.target)) close(); });
    const place = document.getElementById("search-found");
    const asked = new URLSearchParams(location.search).get("q");
    if (place && asked) {
      input.value = asked;
      if (!place.children.length) names().then((rows) => {
        const found = matching(rows, asked, 200);
        place.replaceChildren(...found.map(toLink));
        document.getElementById("search-told").textContent = found.length ? found.length + (found.length === 200 ? " or more" : "") + " found." : "Nothing has such a name.";
        const lists = document.getElementById("search-lists");
        if (lists && found.length) lists.hidden = true;
      });
    }
  }

  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && form) {
      event.preventDefault();
      form.querySelector("input").focus();
    }
  });

  /* the lineage: drag, wheel with Ctrl, keys, buttons */

  all("[data-canvas]").forEach((canvas) => {
    const image = canvas.querySelector("svg");
    const [left, top, width, height] = image.getAttribute("viewBox").split(" ").map(Number);
    const box = canvas.getBoundingClientRect();
    canvas.classList.add("live");
    let view;
    const show = () => image.setAttribute("viewBox", [view.x, view.y, view.w, view.h].join(" "));
    const high = Math.round(Math.min(544, Math.max(height, 140)));
    image.setAttribute("height", high);
    image.removeAttribute("width");

    function fit(whole) {
      const scale = whole ? Math.max(width / box.width, height / high) : 1;
      const used = Math.max(scale, whole ? 0.85 : 1);
      view = { w: box.width * used, h: high * used };
      const here = canvas.querySelector(".here rect");
      view.x = left + (width - view.w) / 2;
      view.y = top + (height - view.h) / 2;
      if (!whole && here && width > view.w) view.x = Number(here.getAttribute("x")) + 88 - view.w / 2;
      if (!whole && here && height > view.h) view.y = Number(here.getAttribute("y")) + 22 - view.h / 2;
      if (!whole && !here && width > view.w) view.x = left;
      show();
    }

    function zoom(factor, at) {
      const middle = at || { x: view.x + view.w / 2, y: view.y + view.h / 2 };
      const limited = Math.min(Math.max(view.w * factor, 160), Math.max(width, box.width) * 3) / view.w;
      view = { x: middle.x + (view.x - middle.x) * limited, y: middle.y + (view.y - middle.y) * limited, w: view.w * limited, h: view.h * limited };
      show();
    }

    const move = (x, y) => { view.x += x * view.w; view.y += y * view.h; show(); };
    const does = {
      "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), "0": () => fit(true),
      ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0), ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!does[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      does[event.key]();
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const now = image.getBoundingClientRect();
      zoom(event.deltaY > 0 ? 1.12 : 0.89, { x: view.x + (event.clientX - now.left) / now.width * view.w, y: view.y + (event.clientY - now.top) / now.height * view.h });
    }, { passive: false });

    let held = null, moved = false;
    canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY }; moved = false; });
    window.addEventListener("pointermove", (event) => {
      if (!held) return;
      const x = event.clientX - held.x, y = event.clientY - held.y;
      if (!moved && Math.hypot(x, y) < 4) return;
      moved = true;
      canvas.classList.add("held");
      const now = image.getBoundingClientRect();
      view.x -= x * view.w / now.width;
      view.y -= y * view.h / now.height;
      held = { x: event.clientX, y: event.clientY };
      show();
    });
    window.addEventListener("pointerup", () => { held = null; canvas.classList.remove("held"); });
    canvas.addEventListener("click", (event) => { if (moved) { event.preventDefault(); moved = false; } }, true);
    canvas.addEventListener("dragstart", (event) => event.preventDefault());
    all("a.node", canvas).forEach((node) => node.addEventListener("focus", () => {
      const at = node.querySelector("rect"), x = Number(at.getAttribute("x")), y = Number(at.getAttribute("y"));
      if (x < view.x || x + 176 > view.x + view.w) view.x = x + 88 - view.w / 2;
      if (y < view.y || y + 44 > view.y + view.h) view.y = y + 22 - view.h / 2;
      show();
    }));

    const tools = make("div", { className: "tools" });
    tools.setAttribute("role", "group");
    tools.setAttribute("aria-label", "Lineage view");
    [["+", "Zoom in"], ["-", "Zoom out"], ["0", "Show all"]].forEach(([key, words]) => {
      const button = make("button", { type: "button", className: "plain" }, words);
      button.addEventListener("click", does[key]);
      tools.append(button);
    });
    tools.append(make("span", { className: "quiet" }, "Drag to move; + − 0 and arrows on the keyboard."));
    canvas.before(tools);
    fit(Math.max(width / box.width, height / high) < 1.6);
  });
})();

// A form for one record, made from the interface's description; the answer with where it comes from.
"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const PROVENANCE = /^strata-|^x-request-id$/;
  let key = "";
  let columns = [];

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) if (value !== undefined) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function ask(path, options) {
    const headers = Object.assign({ accept: "application/json" }, (options || {}).headers, key ? { "x-api-key": key } : {});
    return fetch(path, Object.assign({ cache: "no-store", credentials: "omit" }, options, { headers }));
  }

  const kind = (schema) => (Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type);

  function field(name, schema, example, place) {
    const id = "column-" + place;
    const type = kind(schema);
    let input;
    if (type === "boolean") {
      input = make("select", { id }, make("option", { value: "true" }, "true"), make("option", { value: "false" }, "false"));
      input.value = String(example === true);
    } else if (type === "array") {
      input = make("textarea", { id, rows: "2", spellcheck: "false" });
      input.value = JSON.stringify(example);
    } else {
      const number = type === "number" || type === "integer";
      input = make("input", { id, type: number ? "number" : "text", step: type === "integer" ? "1" : number ? "any" : undefined, autocomplete: "off" });
      input.value = example === null || example === undefined ? "" : String(example);
    }
    input.setAttribute("aria-describedby", id + "-says");
    columns.push({ name, type, input });
    return make("div", {}, make("label", { for: id }, name), input, make("small", { id: id + "-says" }, schema.description || ""));
  }

  function value(column) {
    const text = column.input.value;
    if (column.type === "boolean") return text === "true";
    if (column.type === "array") return JSON.parse(text);
    if (column.type === "string") return text;
    return text.trim() === "" ? null : Number(text);
  }

  function say(words, bad) {
    find("outcome").replaceChildren(make("p", { class: bad ? "bad" : "quiet" }, words));
  }

  function told(error) {
    if (typeof error === "string") return error;
    return error && error.message ? (error.field ? error.field + ": " : "") + error.message : "No answer that could be read.";
  }

  function show(predictions) {
    const rows = Object.entries(predictions[0]).map(([name, one]) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, make("strong", {}, typeof one === "object" && one !== null ? JSON.stringify(one) : String(one)))));
    find("outcome").replaceChildren(make("h2", {}, "Prediction"), make("table", {}, make("tbody", {}, ...rows)));
  }

  function origin(headers) {
    const rows = [...headers].filter(([name]) => PROVENANCE.test(name)).map(([name, one]) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, make("code", {}, one))));
    find("headers").replaceChildren(...rows);
    find("origin").hidden = rows.length === 0;
  }

  async function predict(event) {
    event.preventDefault();
    const record = {};
    for (const column of columns) {
      try {
        record[column.name] = value(column);
      } catch (error) {
        column.input.focus();
        return say(column.name + ": must be a list in JSON", true);
      }
    }
    say("Asking.");
    try {
      const answer = await ask("/predict", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ records: [record] }) });
      const body = await answer.json();
      if (answer.ok) show(body.predictions);
      else say(told(body.error), true);
      origin(answer.headers);
    } catch (error) {
      say("The service did not answer.", true);
    }
  }

  function fill(document_) {
    const schemas = document_.components.schemas;
    document.title = document_.info.title + " " + document_.info.version;
    find("lead").textContent = document_.info.description.split("\n\n").join(" ");
    document.querySelector("h1").textContent = document_.info.title;
    if (!schemas.Record) return say("No model answers now.", true);
    const example = (schemas.Record.examples || [{}])[0];
    columns = [];
    find("fields").replaceChildren(...Object.entries(schemas.Record.properties).map(([name, schema], place) => field(name, schema, example[name], place)));
    find("record").hidden = false;
    columns[0].input.focus();
  }

  async function begin() {
    try {
      const answer = await ask("/openapi.json");
      const needed = answer.status === 401 || answer.status === 403;
      find("access").hidden = !needed;
      if (needed) {
        find("lead").textContent = "Who asks?";
        if (key) say("This key or token is not known here.", true);
        find("key").focus();
      } else if (answer.ok) {
        find("outcome").replaceChildren();
        fill(await answer.json());
      } else say(told((await answer.json()).error), true);
    } catch (error) {
      say("The service did not answer.", true);
    }
  }

  find("access").addEventListener("submit", (event) => { event.preventDefault(); key = find("key").value.trim(); begin(); });
  find("record").addEventListener("submit", predict);
  begin();
})();

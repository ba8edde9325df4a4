// Requests as they stand on the wire, so that any byte of them can be changed.
"use strict";

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const net = require("node:net");

/** The lines of a table of changes; ../changes/http-message-signatures.txt says how they are written. */
function rows(path) {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"))
    .map((line) => {
      const [what, code, find, put] = line.split(/ \| ?/);
      return { what, code, find, put: put.replaceAll("\\r\\n", "\r\n").replaceAll("\\x20", " ") };
    });
}

function changed(text, find, put) {
  const found = text.match(new RegExp(find, "g"));
  assert.equal(found?.length, 1, `${find} is found ${found?.length ?? 0} times in ${text}`);
  const after = text.replace(new RegExp(find), put);
  assert.notEqual(after, text, `${find} changes nothing`);
  return after;
}

/** Sends a request, and gives the code of its refusal: `-` where there is none. */
function send(address, text) {
  const [host, port] = address.split(":");
  const end = text.indexOf("\r\n\r\n");
  let head = `${text.slice(0, end)}\r\nConnection: close`;
  const body = text.slice(end + 4);
  if (body && !/\r\n(Content-Length|Transfer-Encoding): /i.test(head)) head += `\r\nContent-Length: ${Buffer.byteLength(body)}`;
  return new Promise((resolve, reject) => {
    const parts = [];
    const socket = net.connect({ host, port, timeout: 20_000 }, () => socket.write(`${head}\r\n\r\n${body}`));
    socket.on("data", (part) => parts.push(part));
    socket.on("timeout", () => socket.destroy(new Error("no answer")));
    socket.on("error", reject);
    socket.on("close", () => resolve(read(Buffer.concat(parts).toString())));
  });
}

function read(text) {
  const [head, body] = text.split("\r\n\r\n");
  if (!/^content-type: application\/problem\+json\r?$/im.test(head)) {
    return { code: head.startsWith("HTTP/1.1 400 ") ? "-" : undefined, text };
  }
  const { status, code } = JSON.parse(body);
  assert.ok(head.startsWith(`HTTP/1.1 ${status} `), text);
  return { code, text };
}

module.exports = { changed, rows, send };

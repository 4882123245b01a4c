// node refused.mjs fetch|http MEGABYTES < [[url, type], ...]; prints the statuses as JSON.
import http from "node:http";
import { readFileSync } from "node:fs";

const [how, megabytes] = process.argv.slice(2);
const body = Buffer.alloc(megabytes * 2 ** 20, "a");

function request(url, type) {
  const headers = { "Content-Type": type, "Content-Length": body.length };
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method: "POST", agent: false, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const fetched = async (url, type) =>
  (await fetch(url, { method: "POST", body, headers: { "Content-Type": type } })).status;
const found = [];
for (const [url, type] of JSON.parse(readFileSync(0))) found.push(await { fetch: fetched, http: request }[how](url, type));
console.log(JSON.stringify(found));

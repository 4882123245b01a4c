// Reads a JSON list of [rule as iCalendar text, how many] and writes the instants
// of the first occurrences of each.
import { readFileSync } from "node:fs";
import "temporal-polyfill/global";
import { RRuleTemporal } from "rrule-temporal";

function occurrences([rruleString, count]) {
  const found = new RRuleTemporal({ rruleString, maxIterations: 100_000 }).all((_, index) => index < count);
  return found.slice(0, count).map((one) => one.toInstant().toString());
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(occurrences)));

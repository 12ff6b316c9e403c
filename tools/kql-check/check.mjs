// Checks config/queries/**/*.kql with Microsoft's own KQL language service.
//
// Every query is parsed and bound against the columns that its tables really have
// (respond/log_schema.json), so a column or table that does not exist, or a comparison of the wrong
// types, is found here and not in a tenant.
//
//   node check.mjs [--queries DIR] [--tables FILE]    exit 0 clean, 1 findings, 2 cannot check
//   node check.mjs --self-test                        known mistakes must be found
//
// Header lines a query may carry:
//   // tables-of: defender_xdr          which set of tables it is written for; default sentinel
//   // kql-check: allow KS205 reason    accept a warning (never an error); a line that allows nothing is an error

import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../..");
const PACKAGE = "@kusto/language-service-next";

class CannotCheck extends Error {}

function languageService() {
  const require = createRequire(import.meta.url);
  try {
    require(`${PACKAGE}/bridge.min.js`); // both files add to one global, `Kusto`
    require(`${PACKAGE}/Kusto.Language.Bridge.min.js`);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    throw new CannotCheck(`${PACKAGE} is not installed; run: npm ci --prefix ${relative(process.cwd(), HERE) || "."}`);
  }
  return globalThis.Kusto.Language;
}

/** One set of tables ({table: {column: type}}) as the language service's idea of a database. */
function globalsOf(kusto, name, tables) {
  const { ColumnSymbol, DatabaseSymbol, ScalarTypes, TableSymbol } = kusto.Symbols;
  const column = (table, [title, type]) => {
    const known = ScalarTypes.GetSymbol(type);
    if (!known) throw new CannotCheck(`${name}.${table}.${title}: "${type}" is not a KQL type`);
    return new ColumnSymbol(title, known, null, null, null, null);
  };
  const symbols = Object.entries(tables).map(
    ([table, columns]) => new TableSymbol.$ctor4(table, Object.entries(columns).map((pair) => column(table, pair))),
  );
  return kusto.GlobalState.Default.WithDatabase(new DatabaseSymbol.ctor(name, symbols));
}

function makeChecker(kusto, tableSets) {
  const globals = new Map();
  const globalsFor = (set) => {
    if (!globals.has(set)) globals.set(set, globalsOf(kusto, set, tableSets[set]));
    return globals.get(set);
  };
  return (text) => findingsOf(kusto, tableSets, globalsFor, text);
}

/** Everything wrong with one query: [{line, column, severity, code, message}], in the order of the text. */
function findingsOf(kusto, tableSets, globalsFor, text) {
  const at = (offset) => {
    const before = text.slice(0, offset).split("\n");
    return { line: before.length, column: before.at(-1).length + 1 };
  };
  const error = (offset, code, message) => ({ ...at(offset), severity: "Error", code, message });

  const set = text.match(/^\/\/ *tables-of: *(\S+) *\r?$/m)?.[1] ?? "sentinel";
  if (typeof tableSets[set] !== "object") return [error(0, "TABLES", `there are no tables of "${set}"`)];

  const findings = [];
  const code = kusto.KustoCode.ParseAndAnalyze(text, globalsFor(set));
  const diagnostics = code.GetDiagnostics();
  for (let index = 0; index < diagnostics.Count; index += 1) {
    const { Start, Severity, Code, Message } = diagnostics.getItem(index);
    if (Severity === "Error" || Severity === "Warning") {
      findings.push({ ...at(Start), severity: Severity, code: Code, message: Message });
    }
  }
  if (!findings.length && !(code.ResultType instanceof kusto.Symbols.TableSymbol)) {
    findings.push(error(0, "EMPTY", "the query returns no table"));
  }

  const accepted = new Set();
  for (const match of text.matchAll(/^\/\/ *kql-check: *(.*?) *\r?$/gm)) {
    const [, allowed] = match[1].match(/^allow (\w+) +\S/) ?? [];
    if (!allowed) findings.push(error(match.index, "ALLOW", "write: // kql-check: allow CODE reason"));
    else if (findings.some((found) => found.code === allowed && found.severity === "Warning")) accepted.add(allowed);
    else findings.push(error(match.index, "ALLOW", `nothing to allow: no warning ${allowed}`));
  }
  return findings
    .filter((found) => found.severity === "Error" || !accepted.has(found.code))
    .sort((one, other) => one.line - other.line || one.column - other.column);
}

function selfTest(kusto) {
  const check = makeChecker(kusto, {
    sentinel: { SigninLogs: { TimeGenerated: "datetime", UserId: "string", DurationMs: "long" } },
    defender_xdr: { EmailEvents: { Timestamp: "datetime", Subject: "string" } },
  });
  const cases = [
    ["a sound query", "let p_user = 'a';\nSigninLogs | where UserId == p_user", []],
    ["a sound Defender query", "// tables-of: defender_xdr\nEmailEvents | where Timestamp > ago(1d)", []],
    ["an unknown column", "SigninLogs\n| where Nope == 1", ["2:9 KS142"]],
    ["an unknown table", "NoSuchTable | take 1", ["1:1 KS204"]],
    ["a type error", "SigninLogs | where DurationMs has 'a'", ["1:31 KS106"]],
    ["a comparison of text with a number", "SigninLogs | where UserId > 5", ["1:27 KS106"]],
    ["a broken query", "SigninLogs | where (", ["1:21 KS006", "1:21 KS005"]],
    ["a table of the other set", "// tables-of: defender_xdr\nSigninLogs | take 1", ["2:1 KS204"]],
    ["a set of tables that does not exist", "// tables-of: nowhere\nSigninLogs", ["1:1 TABLES"]],
    ["an empty file", "// nothing\n", ["1:1 EMPTY"]],
    ["a warning", "union isfuzzy=true SigninLogs, Gone", ["1:32 KS205"]],
    ["an allowed warning", "// kql-check: allow KS205 not connected\nunion isfuzzy=true SigninLogs, Gone", []],
    ["an allowance without a reason", "// kql-check: allow KS205\nSigninLogs", ["1:1 ALLOW"]],
    ["an allowance of nothing", "// kql-check: allow KS205 gone\nSigninLogs", ["1:1 ALLOW"]],
    ["an allowed error", "// kql-check: allow KS204 no\nGone | take 1", ["1:1 ALLOW", "2:1 KS204"]],
  ];
  let failed = 0;
  for (const [title, text, wanted] of cases) {
    const found = check(text).map(({ line, column, code }) => `${line}:${column} ${code}`);
    if (found.join() !== wanted.join()) {
      failed += 1;
      console.error(`kql-check: self-test: ${title}: wanted [${wanted.join(", ")}], found [${found.join(", ")}]`);
    }
  }
  console.log(`kql-check: self-test: ${cases.length} cases, ${failed} failed`);
  return failed ? 1 : 0;
}

function queryFiles(directory) {
  const found = [];
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) found.push(...queryFiles(path));
      else if (entry.name.endsWith(".kql")) found.push(path);
    }
  }
  return found.sort();
}

function readTables(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new CannotCheck(`${path}: ${error.message}`);
  }
}

function checkQueries(kusto, directory, tables) {
  const files = queryFiles(directory);
  if (!files.length) throw new CannotCheck(`no *.kql file below ${directory}`);
  const check = makeChecker(kusto, readTables(tables));
  const counts = { Error: 0, Warning: 0 };
  for (const file of files) {
    for (const { line, column, severity, code, message } of check(readFileSync(file, "utf8").replace(/^\uFEFF/, ""))) {
      counts[severity] += 1;
      console.log(`${relative(process.cwd(), file)}:${line}:${column} ${severity.toLowerCase()} ${code} ${message}`);
    }
  }
  const warnings = counts.Warning ? `, ${counts.Warning} warnings` : "";
  console.log(`kql-check: ${files.length} queries, ${counts.Error} errors${warnings}`);
  return counts.Error + counts.Warning ? 1 : 0;
}

function main() {
  const { values } = parseArgs({
    options: {
      "self-test": { type: "boolean", default: false },
      queries: { type: "string", default: join(ROOT, "config", "queries") },
      tables: { type: "string", default: join(ROOT, "respond", "log_schema.json") },
    },
  });
  const kusto = languageService();
  return values["self-test"] ? selfTest(kusto) : checkQueries(kusto, values.queries, values.tables);
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof CannotCheck) && error.code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") throw error;
  console.error(`kql-check: ${error.message}`);
  process.exitCode = 2;
}

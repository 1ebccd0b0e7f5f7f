// Runs the suite http-cache-tests against the cache at the URL of the first argument, and
// prints a line for each test: its kind, how it went, and its name. It lies beside the
// folder of the suite.
import { runTests, getResults } from './http-cache-tests/client/runner.mjs'
import fetch from 'node-fetch'
import tests from './http-cache-tests/tests/index.mjs'
import surrogate from './http-cache-tests/tests/surrogate-control.mjs'

const suites = [...tests, surrogate]
await runTests(suites, fetch, false, process.argv[2])
const results = getResults()
for (const { tests } of suites) {
  for (const { id, kind = 'required' } of tests) {
    if (id in results) console.log(kind, results[id] === true ? 'passed' : 'failed', id, JSON.stringify(results[id]))
  }
}

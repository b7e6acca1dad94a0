// Package searchbench measures what a search costs beside what Elasticsearch itself takes for the same bodies, over 50,000 generated
// products, and how fast suggestions come. What it measures is in its tests, because the products are made by packages for tests; they have
// a build tag of their own:
//
//	go test -tags bench -count=1 -v -timeout 30m ./load/searchbench
//
// ELASTICSEARCH_URL is an Elasticsearch that has nothing else to do; the index is made and deleted again. BENCH_PRODUCTS, BENCH_ROUNDS and SEED
// change how much is measured. Each figure is a line "bench: ...", and a bound that is missed fails the test:
//
//   - the service takes at most 1.3 times as long as the same bodies sent raw, at the median, in turn with them;
//   - it uses at most 0.4 ms of CPU itself;
//   - Elasticsearch uses at most 4 ms of CPU a query, facets included, with every fifth query misspelt;
//   - at 100 suggestions a second, 99 of 100 come within 30 ms.
//
// Beside these it prints what the standard library's proxy takes that stands in the service's place and only passes the same bodies on.
//
// Nothing is kept (SEARCH_CACHE=0) but for suggestions, which are measured as they are served.
package searchbench

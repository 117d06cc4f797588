// Package suite runs all benchmarks, decides which goals are met, and writes what came out as a page with tables and charts.
//
// Every measurement is a process of its own. Those that are compared run by turns, several rounds of each, and the medians
// are compared: what else the machine does meets all of them alike.
package suite

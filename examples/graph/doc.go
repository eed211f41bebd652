// Command graph is an example of tasks that wait for each other: several pages are fetched, each is counted, and a last
// task adds up what the others found. All are submitted at once or not at all.
//
//	graph https://example.org/ https://example.org/about
//
// It submits and works in one process, to be short; nothing is really fetched. Its test runs it against package haikutest.
package main

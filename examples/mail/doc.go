// Command mail is an example of the two halves of a program that uses Haiku: one submits tasks, the other runs them until
// it gets SIGTERM, finishes what it runs and ends.
//
//	mail work
//	mail send ada@example.org grace@example.org
//
// It keeps no state of its own. Its test runs both halves against package haikutest.
package main

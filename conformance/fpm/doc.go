// Package fpm holds the tests of the bridge between FRR and a switch: a real Router of clients/fpm, a real server, and a zebra that
// writes what recorded ones wrote.
package fpm

// Package e2e holds the tests of the whole product: real processes of both programs,
// a simulated Messages with a real chat.db, and the public API from outside. It has
// no code of its own.
package e2e

// Package update replaces this program by a newer one that whoever releases it has signed.
//
// A manifest says what the newest version is and which file of it is for which platform. It
// carries an ed25519 signature, and nothing of it is believed before that is checked against a
// key that was built in or given by file: not the server, not the network, not a mirror.
//
// It refuses what is not newer than what runs, so that nobody can bring an old fault back with
// an old signature, and what has failed here before.
package update

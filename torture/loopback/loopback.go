// Package loopback finds an address for a server that tests and the harness start, kill and
// start again. It holds nothing; its function may be called concurrently.
package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// FreeAddress is a loopback address that nobody listens on, host and port. Its port is none
// of those that the system gives to who asks for any (above 32767 on Linux), or somebody else
// could have it while the server starts again.
func FreeAddress() (string, error) {
	for {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return ln.Addr().String(), ln.Close()
	}
}

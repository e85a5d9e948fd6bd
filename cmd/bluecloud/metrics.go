package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guardMetrics lets those at /metrics who may see it. With a token it is whoever shows
// that. Without one it is this machine itself, and nobody where the server has a public
// address: behind a proxy on this machine all the world comes from here.
func guardMetrics(next http.Handler, token, publicURL string) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token))
	local := isLocal(publicURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		switch {
		case token != "" && subtle.ConstantTimeCompare(shown[:], want[:]) == 1:
			next.ServeHTTP(w, r)
		case token != "":
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "show the token of --metrics-token: Authorization: Bearer TOKEN", http.StatusUnauthorized)
		case local && isLocal("http://"+r.RemoteAddr) && isLocal("http://"+r.Host):
			next.ServeHTTP(w, r)
		default:
			http.Error(w, "the metrics of this server are for its own machine: start it with --metrics-token to read them from elsewhere, or where it has a --public-url", http.StatusForbidden)
		}
	})
}

// isLocal tells whether an address is one that only this machine reaches.
func isLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

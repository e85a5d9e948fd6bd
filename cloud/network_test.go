package cloud

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// interfaces are the addresses of a machine, as net.InterfaceAddrs gives them.
func interfaces(t *testing.T, list ...string) []net.Addr {
	t.Helper()
	var out []net.Addr
	for _, s := range list {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &net.IPNet{IP: ip, Mask: n.Mask})
	}
	return out
}

func TestOwnNetworkIsNotThePublic(t *testing.T) {
	own := &ownNetwork{addresses: func() ([]net.Addr, error) {
		return interfaces(t, "127.0.0.1/8", "198.41.0.4/24", "::1/128", "fe80::1/64", "2a00:1450:4001:1::5/64", "2606:4700::7/128"), nil
	}}
	g, lan := guard{own: own}, guard{prefixes("2a00:1450:4001:1::/64", "198.41.0.4/32"), own}
	for _, c := range []struct {
		address         string
		public, allowed bool
	}{
		{"198.41.0.4:443", false, true}, {"198.41.0.5:443", true, true}, {"[::ffff:198.41.0.4]:443", false, true}, // neighbours at IPv4 are strangers
		{"[2a00:1450:4001:1::5]:443", false, true}, {"[2a00:1450:4001:1:ffff::1]:443", false, true}, {"[2a00:1450:4001:2::5]:443", true, true},
		{"[2606:4700::7]:443", false, false}, {"[2606:4700::8]:443", true, true},
		{"8.8.8.8:80", true, true}, {"8.8.8.8:8443", true, true}, {"8.8.8.8:8080", true, true}, {"8.8.8.8:65535", true, true},
		{"8.8.8.8:22", false, false}, {"8.8.8.8:25", false, false}, {"8.8.8.8:0", false, false}, {"8.8.8.8:1023", false, false}, {"8.8.8.8:5432", false, false}, {"8.8.8.8:6379", false, false},
		{"[2a00:1450:4001:1::5]:5432", false, true}, {"198.41.0.4:22", false, true}, // an allowed address at any port
	} {
		a := netip.MustParseAddrPort(c.address)
		if got := g.may(a); got != c.public {
			t.Errorf("%s: %t", a, got)
		}
		if got := lan.may(a); got != c.allowed {
			t.Errorf("%s with an allow-list: %t", a, got)
		}
	}
}

// A machine gets and loses addresses while it runs. What cannot be read is as it was, and
// before the first reading nothing is the public's.
func TestOwnNetworkIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now []net.Addr
		fails := errors.New("no such thing here")
		own := &ownNetwork{addresses: func() ([]net.Addr, error) { return now, fails }}
		first, second := netip.MustParseAddr("2a00::1"), netip.MustParseAddr("2a01::1")
		expect := func(what string, hasFirst, hasSecond bool) {
			t.Helper()
			if own.has(first) != hasFirst || own.has(second) != hasSecond {
				t.Errorf("%s: %t, %t", what, own.has(first), own.has(second))
			}
		}
		expect("nothing was read", true, true)
		now, fails = interfaces(t, "2a00::2/64"), nil
		expect("the first network", true, false)
		now = interfaces(t, "2a01::2/64")
		expect("not yet read again", true, false)
		time.Sleep(networkLife)
		expect("the second network", false, true)
		fails = errors.New("no such thing any more")
		time.Sleep(networkLife)
		expect("it cannot be read", false, true)
	})
}

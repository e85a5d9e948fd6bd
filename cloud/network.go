package cloud

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ownNetwork are the addresses that are public and yet not the public's: those of this
// machine, and all of the IPv6 networks that it is a part of. Behind a router that hands out
// public IPv6 addresses the owner's other machines are among them, with whatever they offer
// to their neighbours. What is further away cannot be told from here.
type ownNetwork struct {
	addresses func() ([]net.Addr, error) // net.InterfaceAddrs, but in tests

	mu   sync.Mutex
	read time.Time
	list []netip.Prefix
	err  error // of the first reading, while there is none that went well
}

// networkLife is how long it is believed that the machine has the addresses it had.
const networkLife = 30 * time.Second

// has tells whether an address is of the own network. Where that cannot be read, every
// one is.
func (o *ownNetwork) has(a netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.read.IsZero() || time.Since(o.read) >= networkLife {
		o.look()
	}
	return o.err != nil || contains(o.list, a.Unmap())
}

func (o *ownNetwork) look() {
	addresses, err := o.addresses()
	if err != nil {
		if o.list == nil {
			o.err = err
		}
		return
	}
	o.read, o.err, o.list = time.Now(), nil, make([]netip.Prefix, 0, len(addresses))
	for _, one := range addresses {
		if p, ok := ownPrefix(one); ok {
			o.list = append(o.list, p)
		}
	}
}

// ownPrefix is what one address of an interface says of the own network.
func ownPrefix(of net.Addr) (netip.Prefix, bool) {
	n, ok := of.(*net.IPNet)
	if !ok {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	if a.Is4() { // the neighbours at a public IPv4 address are the provider's other customers
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a, ones).Masked(), true
}

// otherServices are ports from 1024 on that belong to something else than the web: those that
// the Fetch standard blocks (fetch.spec.whatwg.org, port blocking), and those of databases,
// queues and administration that often trust whoever reaches them.
var otherServices = []uint16{
	1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
	1433, 1521, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 5984, 5985, 5986, 6379, 9042, 9092, 9200, 9300, 10250, 11211, 27017,
}

// webPort tells whether a port may be called at a public address.
func webPort(port uint16) bool {
	return port == 80 || port == 443 || port >= 1024 && !slices.Contains(otherServices, port)
}

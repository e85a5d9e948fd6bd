package cloud

import "bluerelay/cloud/store"

// full are the hosts with no place left and the accounts that have more than most in hand:
// they must not hide what is due from and for others. room tells whether there is a place
// at all.
func (f *fetcher) full(most int) (hosts, accounts []string, room bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for host, n := range f.busy {
		if n >= f.placesOf(host) {
			hosts = append(hosts, host)
		}
	}
	for id, n := range f.owned {
		if n > most {
			accounts = append(accounts, id)
		}
	}
	return hosts, accounts, len(f.running) < fetchesInHand
}

// placesOf is how many files may be fetched from a host at a time.
func (f *fetcher) placesOf(host string) int {
	if f.late[host] >= deadHost {
		return 1
	}
	return fetchesToHost
}

// tried counts the timeouts in a row of a host.
func (f *fetcher) tried(host string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil || categorize(err) != "timeout" {
		delete(f.late, host)
		return
	}
	if len(f.late) >= hostsInMind {
		clear(f.late)
	}
	f.late[host]++
}

func (f *fetcher) take(one store.Fetch) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[one.MediaID] || len(f.running) >= fetchesInHand || f.busy[one.Host] >= f.placesOf(one.Host) || f.owned[one.AccountID] >= fetchesOfAccount {
		return false
	}
	f.running[one.MediaID] = true
	f.busy[one.Host]++
	f.owned[one.AccountID]++
	return true
}

func (f *fetcher) give(one store.Fetch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, one.MediaID)
	for _, count := range []struct {
		of  map[string]int
		key string
	}{{f.busy, one.Host}, {f.owned, one.AccountID}} {
		if count.of[count.key]--; count.of[count.key] == 0 {
			delete(count.of, count.key)
		}
	}
}

// reserve keeps a file from being fetched, where it is not being fetched.
func (f *fetcher) reserve(mediaID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[mediaID] {
		return false
	}
	f.running[mediaID] = true
	return true
}

func (f *fetcher) free(mediaID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, mediaID)
}

package simulator

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// address says how to reach a running Messages process; it is the content of
// messages.json. The secret keeps other users of the machine out: the file is
// readable by its owner only.
type address struct {
	Addr   string `json:"addr"`
	Secret string `json:"secret"`
	PID    int    `json:"pid"`
}

func newAddress(ln net.Listener) address {
	return address{Addr: ln.Addr().String(), Secret: rand.Text(), PID: os.Getpid()}
}

// write puts the file in place in one step: a reader finds none or all of it.
func (a address) write(dir string) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode address of simulated Messages: %w", err)
	}
	tmp, err := os.CreateTemp(dir, addressName+".*")
	if err != nil {
		return fmt.Errorf("write address of simulated Messages: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write address of simulated Messages: %w", err)
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, addressName)); err != nil {
		return fmt.Errorf("place address of simulated Messages: %w", err)
	}
	return nil
}

func removeAddress(dir string) error {
	err := os.Remove(filepath.Join(dir, addressName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove address of simulated Messages: %w", err)
	}
	return nil
}

// readAddress fails with an error that wraps fs.ErrNotExist where no Messages
// is running. A file that is there proves nothing: its process may have been
// killed.
func readAddress(dir string) (address, error) {
	data, err := os.ReadFile(filepath.Join(dir, addressName))
	if err != nil {
		return address{}, fmt.Errorf("read address of simulated Messages: %w", err)
	}
	var a address
	if err := json.Unmarshal(data, &a); err != nil {
		return address{}, fmt.Errorf("decode address of simulated Messages: %w", err)
	}
	return a, nil
}

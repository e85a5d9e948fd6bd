package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// credentials are what `up` writes for the person at the machine and for the
// client commands.
type credentials struct {
	BaseURL     string        `json:"base_url"`
	TextingBlue cloud.APIKey  `json:"texting_blue"`
	Sendblue    cloud.KeyPair `json:"sendblue"`
	Console     consoleAccess `json:"console"`
	Lines       []string      `json:"lines"`
}

type consoleAccess struct {
	URL string `json:"url"`
	cloud.ConsoleUser
}

func credentialsPath(dir string) string { return filepath.Join(dir, "credentials.json") }

// loadCredentials returns nil where there are none.
func loadCredentials(dir string) (*credentials, error) {
	data, err := os.ReadFile(credentialsPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the credentials: %w", err)
	}
	var c credentials
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s is damaged: move it away, and the next start makes new keys", credentialsPath(dir))
	}
	return &c, nil
}

// save writes the file atomically, for its owner only.
func (c credentials) save(dir string) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "credentials.*") // 0600 by its nature
	if err != nil {
		return fmt.Errorf("write the credentials: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), credentialsPath(dir))
	}
	if err == nil {
		err = store.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write the credentials: %w", err)
	}
	return nil
}

package main

import (
	"bytes"
	"debug/macho"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// checkInfo reads the property list that cmd/bluerelay embeds. macOS asks for permissions in
// its words, and denies them without a question where there is no usage description.
func checkInfo(file *macho.File, want want) error {
	if want.identifier == "" {
		return nil
	}
	section := file.Section("__info_plist")
	if section == nil || section.Seg != "__TEXT" {
		return errors.New("no Info.plist is embedded")
	}
	data, err := section.Data()
	if err != nil {
		return fmt.Errorf("read Info.plist: %w", err)
	}
	got, err := readInfo(data)
	if err != nil {
		return fmt.Errorf("read Info.plist: %w", err)
	}
	var faults []error
	for key, want := range map[string]string{
		"CFBundleIdentifier": want.identifier, "LSMinimumSystemVersion": fmt.Sprintf("%d.0", oldestMacOS), "LSUIElement": "true",
	} {
		if got[key] != want {
			faults = append(faults, fmt.Errorf("its Info.plist says %s=%q, want %q", key, got[key], want))
		}
	}
	if got["NSAppleEventsUsageDescription"] == "" {
		faults = append(faults, errors.New("its Info.plist has no NSAppleEventsUsageDescription"))
	}
	for _, key := range []string{"CFBundleVersion", "CFBundleShortVersionString"} {
		if want.version != "" && got[key] != want.version {
			faults = append(faults, fmt.Errorf("its Info.plist says %s=%q, want %q", key, got[key], want.version))
		}
	}
	return errors.Join(faults...)
}

// readInfo returns the pairs of a property list that is one dictionary of texts and flags.
func readInfo(data []byte) (map[string]string, error) {
	pairs := map[string]string{}
	var key, text string
	for decoder := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return pairs, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			text = ""
		case xml.CharData:
			text = string(token)
		case xml.EndElement:
			switch token.Name.Local {
			case "key":
				key = strings.TrimSpace(text)
			case "string":
				pairs[key] = text
			case "true", "false":
				pairs[key] = token.Name.Local
			}
		}
	}
}

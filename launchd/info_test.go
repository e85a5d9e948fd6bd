package launchd_test

import (
	"testing"

	"howett.net/plist"

	"bluerelay/launchd"
)

func TestInfoPlist(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                         "1.2.3",
		"1.22.333":                       "1.22.333",
		"v1.2.3-rc.1":                    "1.2.3",
		"v1.2.3+build":                   "1.2.3",
		"dev":                            "0.0.0",
		"":                               "0.0.0",
		"v1.2":                           "0.0.0",
		"v1.2.3</string><key>a</key>":    "0.0.0",
		"v1.2.3-</string><key>a</key>":   "1.2.3",
		"v1.2.3-rc\n</string><string>-x": "0.0.0",
	} {
		var got struct {
			CFBundleExecutable, CFBundleIdentifier, CFBundleName, CFBundlePackageType string
			CFBundleShortVersionString, CFBundleVersion, LSMinimumSystemVersion       string
			LSUIElement                                                               bool
			NSAppleEventsUsageDescription                                             string
		}
		if _, err := plist.Unmarshal(launchd.InfoPlist(version), &got); err != nil {
			t.Fatalf("%q: %v", version, err)
		}
		if got.CFBundleVersion != want || got.CFBundleShortVersionString != want {
			t.Errorf("%q becomes %q and %q, want %q", version, got.CFBundleVersion, got.CFBundleShortVersionString, want)
		}
		if got.CFBundleExecutable != "bluerelay" || got.CFBundleIdentifier != "com.bluerelay.agent" ||
			got.CFBundleName != "bluerelay" || got.CFBundlePackageType != "APPL" ||
			got.LSMinimumSystemVersion != "12.0" || !got.LSUIElement || got.NSAppleEventsUsageDescription == "" {
			t.Errorf("%q: got %+v", version, got)
		}
	}
}

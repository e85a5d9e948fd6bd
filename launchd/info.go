package launchd

import (
	"fmt"
	"regexp"
)

// BundleID is the name by which macOS knows the program: it keeps the person's permissions
// under it, and shows the Automation question for it.
const BundleID = "com.bluerelay.agent"

// infoPlist is written out, not rendered, so that it can be compared line by line with the
// copy in cmd/bluerelay/info_darwin.go. LSUIElement keeps the program out of the Dock.
const infoPlist = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>CFBundleExecutable</key>
	<string>bluerelay</string>
	<key>CFBundleIdentifier</key>
	<string>` + BundleID + `</string>
	<key>CFBundleInfoDictionaryVersion</key>
	<string>6.0</string>
	<key>CFBundleName</key>
	<string>bluerelay</string>
	<key>CFBundlePackageType</key>
	<string>APPL</string>
	<key>CFBundleShortVersionString</key>
	<string>%[1]s</string>
	<key>CFBundleVersion</key>
	<string>%[1]s</string>
	<key>LSMinimumSystemVersion</key>
	<string>12.0</string>
	<key>LSUIElement</key>
	<true/>
	<key>NSAppleEventsUsageDescription</key>
	<string>bluerelay sends the messages of your own iMessage API through Messages on this Mac.</string>
</dict>
</plist>
`

// release takes the three numbers out of a version such as v1.2.3-rc.1.
var release = regexp.MustCompile(`^v?([0-9]+\.[0-9]+\.[0-9]+)(?:[-+].*)?$`)

// InfoPlist returns the Info.plist of the program's bundle, an XML property list. Of the
// version it says the three numbers, because macOS wants no more; one that has none, such as
// dev, becomes 0.0.0. The binary itself carries the same bytes, for a Mac where it runs
// outside of its bundle.
func InfoPlist(version string) []byte {
	numbers := "0.0.0"
	if found := release.FindStringSubmatch(version); found != nil {
		numbers = found[1]
	}
	return fmt.Appendf(nil, infoPlist, numbers)
}

package launchd

// entitlements is a property list of what a program with the hardened runtime needs to be
// asked about at all: macOS looks for it in the daemon, although osascript is the one that
// sends.
const entitlements = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>com.apple.security.automation.apple-events</key>
	<true/>
</dict>
</plist>
`

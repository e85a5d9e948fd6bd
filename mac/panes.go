package mac

// The places in macOS to which a person can be sent, as addresses for open(1). The older
// spellings are understood by all releases from 10.14 on.
const (
	PaneFullDisk   = "x-apple.systempreferences:com.apple.preference.security?Privacy_AllFiles"
	PaneAutomation = "x-apple.systempreferences:com.apple.preference.security?Privacy_Automation"
	PaneUpdate     = "x-apple.systempreferences:com.apple.preferences.softwareupdate"
	PaneClock      = "x-apple.systempreferences:com.apple.preference.datetime"
	PaneEnergy     = "x-apple.systempreferences:com.apple.preference.energysaver"
	PaneNetwork    = "x-apple.systempreferences:com.apple.preference.network"
	PaneLoginItems = "x-apple.systempreferences:com.apple.LoginItems-Settings.extension"
	OpenMessages   = "messages://"
)

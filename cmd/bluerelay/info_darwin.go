package main

/*
// The linker that builds for a Mac on other systems knows no -sectcreate, so the Info.plist
// goes into its section as an array. A test holds it against launchd.InfoPlist. A release is
// compiled with -DBLUERELAY_VERSION=1.2.3, because the Go linker's -X cannot reach into C.
#ifndef BLUERELAY_VERSION
#define BLUERELAY_VERSION 0.0.0
#endif
#define QUOTE(version) #version
#define QUOTED(version) QUOTE(version)
#define VERSION QUOTED(BLUERELAY_VERSION)

#define INFO_PLIST \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" \
	"<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n" \
	"<plist version=\"1.0\">\n" \
	"<dict>\n" \
	"\t<key>CFBundleExecutable</key>\n" \
	"\t<string>bluerelay</string>\n" \
	"\t<key>CFBundleIdentifier</key>\n" \
	"\t<string>com.bluerelay.agent</string>\n" \
	"\t<key>CFBundleInfoDictionaryVersion</key>\n" \
	"\t<string>6.0</string>\n" \
	"\t<key>CFBundleName</key>\n" \
	"\t<string>bluerelay</string>\n" \
	"\t<key>CFBundlePackageType</key>\n" \
	"\t<string>APPL</string>\n" \
	"\t<key>CFBundleShortVersionString</key>\n" \
	"\t<string>" VERSION "</string>\n" \
	"\t<key>CFBundleVersion</key>\n" \
	"\t<string>" VERSION "</string>\n" \
	"\t<key>LSMinimumSystemVersion</key>\n" \
	"\t<string>12.0</string>\n" \
	"\t<key>LSUIElement</key>\n" \
	"\t<true/>\n" \
	"\t<key>NSAppleEventsUsageDescription</key>\n" \
	"\t<string>bluerelay sends the messages of your own iMessage API through Messages on this Mac.</string>\n" \
	"</dict>\n" \
	"</plist>\n"

// Without the closing zero of C and those that fill up to an alignment: they are no XML.
__attribute__((used, aligned(1), section("__TEXT,__info_plist")))
static const char infoPlist[sizeof(INFO_PLIST) - 1] = INFO_PLIST;
*/
import "C"

cask "bluerelay" do
  version "@VERSION@"
  sha256 "@bluerelay_macos_universal@"

  url "@URL@/bluerelay_#{version}_macos_universal.tar.gz"
  name "bluerelay"
  desc "Relay on the Mac of a self-hosted iMessage API"
  homepage "@HOMEPAGE@"

  depends_on macos: ">= :monterey"

  binary "bluerelay_#{version}_macos_universal/bluerelay"

  # No hook takes the quarantine away: that is for the person to say. `bluerelay install`
  # copies the program out of here, so that an upgrade by Homebrew does not change the path
  # and the bytes that macOS keeps the permissions for.
  caveats <<~EOS
    macOS will not start a program of this kind before you have allowed it, after each upgrade:
      xattr -d com.apple.quarantine #{staged_path}/bluerelay_#{version}_macos_universal/bluerelay
    Then, and after each upgrade, let it put its own copy in place:
      bluerelay install
    Before you remove it with Homebrew:
      bluerelay uninstall
  EOS
end

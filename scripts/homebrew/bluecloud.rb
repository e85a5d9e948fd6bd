class Bluecloud < Formula
  desc "Server of a self-hosted iMessage API"
  homepage "@HOMEPAGE@"
  version "@VERSION@"

  on_macos do
    url "@URL@/bluecloud_@VERSION@_macos_universal.tar.gz"
    sha256 "@bluecloud_macos_universal@"
    depends_on macos: :monterey
  end
  on_linux do
    on_intel do
      url "@URL@/bluecloud_@VERSION@_linux_amd64.tar.gz"
      sha256 "@bluecloud_linux_amd64@"
    end
    on_arm do
      url "@URL@/bluecloud_@VERSION@_linux_arm64.tar.gz"
      sha256 "@bluecloud_linux_arm64@"
    end
  end

  def install
    bin.install "bluecloud"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/bluecloud --version")
  end
end

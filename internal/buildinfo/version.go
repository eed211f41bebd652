package buildinfo

import "runtime/debug"

// Release is the version that this source is on its way to; CHANGELOG.md says what is in it.
const Release = "0.1.0-dev"

// Version is Release and, where the binary was built from a repository, the commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return Release + "+" + s.Value[:12]
		}
	}
	return Release
}

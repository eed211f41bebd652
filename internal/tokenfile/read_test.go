package tokenfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	token := "haiku_root_" + strings.Repeat("aB3", 11)
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string // in the error; empty for none
	}{
		"0600":           {token + "\n", 0o600, ""},
		"0400":           {" " + token, 0o400, ""},
		"group reads":    {token, 0o640, "0600 or 0400"},
		"others read":    {token, 0o604, "mode 0604"},
		"group writes":   {token, 0o620, "0600 or 0400"},
		"empty":          {"", 0o600, "haiku_ID_SECRET"},
		"another secret": {"opensesame", 0o600, "token generate"},
		"short secret":   {"haiku_root_abc", 0o600, "32 to 128"},
		"two":            {token + "\n" + token, 0o600, "haiku_ID_SECRET"},
		"large":          {strings.Repeat("x", 1<<20), 0o600, "haiku_ID_SECRET"},
	} {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		got, err := Read(path)
		switch {
		case c.want == "" && (err != nil || got != token):
			t.Errorf("%s: %q, %v", name, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err != nil && c.text != "" && strings.Contains(err.Error(), c.text):
			t.Errorf("%s: the error shows the secret", name)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("a directory is taken")
	}
}

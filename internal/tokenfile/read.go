package tokenfile

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/haiku-queue/haiku/member"
)

// maxSize is more than any token has, with a line break.
const maxSize = 4096

// Read returns the token that a file holds, without the space around it. The error wraps fs.ErrNotExist if there is no
// such file.
func Read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("token file %s is no regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("token file %s has mode %04o, so others can use it (allowed: 0600 or 0400; chmod 600 %s)", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if _, _, err := member.ParseToken(token); err != nil {
		return "", fmt.Errorf("token file %s: %w; `haiku token generate` makes one", path, err)
	}
	return token, nil
}

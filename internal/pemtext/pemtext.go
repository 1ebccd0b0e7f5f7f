// Package pemtext reads options that are PEM, or the path of a file with it.
package pemtext

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Read returns PEM text itself, or reads the file that is named instead. Its error does not
// show what is no path: it may be a key that was cut off in front.
func Read(fileOrText string) ([]byte, error) {
	if IsText(fileOrText) {
		return []byte(fileOrText), nil
	}
	if fileOrText == "" {
		return nil, errors.New("is empty")
	}
	text, err := os.ReadFile(fileOrText)
	if failed, ok := errors.AsType[*fs.PathError](err); ok && !IsPath(fileOrText) {
		return nil, fmt.Errorf("is neither PEM text, which begins with -----BEGIN, nor a file: %w", failed.Err)
	}
	return text, err
}

// IsText tells whether it is PEM itself.
func IsText(fileOrText string) bool { return strings.Contains(fileOrText, "-----BEGIN") }

// IsPath tells whether a text is sure to be the path of a file.
func IsPath(s string) bool {
	if len(s) > 200 || strings.ContainsAny(s, "\n\r\t +=") || len(s) > 40 && strings.Count(s, "/") < 2 && filepath.Ext(s) == "" {
		return false // it may be base64
	}
	if strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || filepath.Ext(s) != "" {
		return true
	}
	info, err := os.Stat(filepath.Dir(s))
	return strings.HasPrefix(s, "/") && err == nil && info.IsDir()
}

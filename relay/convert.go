package relay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bluerelay/mac"
	"bluerelay/wire"
)

// converter makes copies of files in forms that more programs read, with the
// programs that macOS brings along. It is used by one upload at a time for each
// copy, and by several at once.
type converter struct {
	sips      string
	afconvert string
	dir       string // of the copies, emptied at each start
	limit     time.Duration
}

// conversion is what can be made of a file.
type conversion struct {
	variant string
	mime    string
	ext     string
	program string
	args    func(in, out string) []string
}

// conversions tells what may be made of a type.
func (c converter) conversion(mime string) (conversion, bool) {
	var v conversion
	switch mime {
	case "image/heic", "image/heif":
		v = conversion{wire.VariantJPEG, "image/jpeg", ".jpg", c.sips, func(in, out string) []string {
			return []string{"-s", "format", "jpeg", in, "--out", out}
		}}
	case "audio/x-caf":
		v = conversion{wire.VariantM4A, "audio/mp4", ".m4a", c.afconvert, func(in, out string) []string {
			return []string{in, out, "-f", "m4af", "-d", "aac"}
		}}
	default:
		return v, false
	}
	_, err := os.Stat(v.program)
	return v, err == nil
}

// convert makes the copy and opens it. The caller closes the file and removes it by
// its name.
func (c converter) convert(ctx context.Context, v conversion, in string) (*os.File, error) {
	dir, err := os.MkdirTemp(c.dir, v.variant+"-*")
	if err != nil {
		return nil, fmt.Errorf("make a copy: %w", err)
	}
	out := filepath.Join(dir, "copy"+v.ext)
	f, err := c.run(ctx, v, in, out)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("convert to %s: %w", v.variant, err), os.RemoveAll(dir))
	}
	return f, nil
}

// run starts the program in a process group of its own, which ends with it or at
// the deadline. What it says is not kept: it may hold names of files.
func (c converter) run(ctx context.Context, v conversion, in, out string) (*os.File, error) {
	result, err := mac.Start(ctx, c.limit, v.program, v.args(in, out)...)
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("the program ended with code %d", result.Code)
	}
	if err != nil {
		return nil, err
	}
	// A link in the place of the copy would lead elsewhere.
	f, err := os.OpenFile(out, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() == 0 || info.Size() > wire.MaxMediaBytes) {
		err = errors.New("the program has made no usable file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// empty makes the folder of copies and clears what an earlier run left there.
func (c converter) empty() error {
	if err := os.RemoveAll(c.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear the folder of copies: %w", err)
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of copies: %w", err)
	}
	return nil
}

// drop removes a copy.
func drop(f *os.File) error {
	return errors.Join(f.Close(), os.RemoveAll(filepath.Dir(f.Name())))
}

// copyName is the name of a converted copy of a file.
func copyName(name, ext string) string {
	return strings.TrimSuffix(name, filepath.Ext(name)) + ext
}

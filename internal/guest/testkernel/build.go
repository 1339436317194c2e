// SPDX-License-Identifier: Apache-2.0

package testkernel

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/sockade/sockade/internal/guest"
)

// Dialects are the layouts of the interface, by the names of their options in Kconfig.
var Dialects = []string{"rfc4", "tail"}

// Base is the release of Linux that is patched.
const Base = "6.12"

// Capability is what a kernel has that speaks the dialect.
func Capability(dialect string) string { return "socket-rules-" + dialect }

//go:embed build kernel.config sockets.patch
var recipe embed.FS

// limit is how long a build may take; on two idle cores it is five minutes.
const limit = 45 * time.Minute

// logLines are shown of a build that fails.
const logLines = 20

// tools are the programs that a build runs beside the essential ones, and the
// package of each.
var tools = [][2]string{
	{"bc", "bc"},
	{"bison", "bison"},
	{"flex", "flex"},
	{"gcc", "gcc"},
	{"make", "make"},
	{"pahole", "dwarves"},
	{"patch", "patch"},
	{"xz", "xz-utils"},
}

// Build returns the path of a bzImage for each of Dialects, from the cache directory
// if it is there. An error that wraps [guest.ErrMissing] says what this machine lacks
// for it.
func Build(ctx context.Context, cache string) (map[string]string, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("%w: test kernels are built on amd64 only", guest.ErrMissing)
	}
	name := regexp.QuoteMeta("linux-source-" + Base)
	source := guest.Package{Suite: "trixie", Arch: "amd64", Name: regexp.MustCompile("^" + name + "$")}
	tarball, err := guest.Fetch(ctx, cache, source, regexp.MustCompile(`^\./usr/src/`+name+`\.tar\.xz$`))
	if err != nil {
		return nil, err
	}
	root := filepath.Join(cache, "testkernel")
	key, err := version(filepath.Base(tarball))
	if err != nil {
		return nil, err
	}
	out := filepath.Join(root, key)
	images := map[string]string{}
	for _, dialect := range Dialects {
		images[dialect] = filepath.Join(out, dialect, "bzImage")
	}
	if _, err := os.Stat(out); err == nil {
		return images, nil
	}
	if missing := missingTools(); missing != nil {
		return nil, fmt.Errorf("%w: no %s", guest.ErrMissing, strings.Join(missing, ", "))
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Stat(out); err == nil { // somebody else has built them meanwhile
		return images, nil
	}
	if err := build(ctx, filepath.Join(root, "build"), tarball, out); err != nil {
		return nil, fmt.Errorf("test kernel: %w", err)
	}
	return images, nil
}

// version names what images depend on: the recipe and the source.
func version(source string) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(recipe, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := recipe.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	fmt.Fprintln(sum, source)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// missingTools are the packages to install.
func missingTools() []string {
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool[0]); err != nil {
			missing = append(missing, tool[1])
		}
	}
	if _, err := os.Stat("/usr/include/gelf.h"); err != nil { // for objtool and BTF
		missing = append(missing, "libelf-dev")
	}
	return missing
}

// lock waits for its turn.
func lock(ctx context.Context, file string) (unlock func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// build makes the directory with the images, all of them or none. What it takes
// 2 GB for is in dir, which is removed, and was left by a build that was killed.
func build(ctx context.Context, dir, tarball, out string) (err error) {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	script, work := filepath.Join(dir, "recipe"), filepath.Join(dir, "work")
	if err := errors.Join(os.CopyFS(script, recipe), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// make and what it runs end with the script: they are one group.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, "bash", append([]string{filepath.Join(script, "build"), tarball, work}, Dialects...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(filepath.Join(work, "log"))
		return fmt.Errorf("%w; the last lines of the log:\n%s", errors.Join(context.Cause(ctx), err), guest.LastLines(string(text), logLines))
	}
	return os.Rename(filepath.Join(work, "images"), out)
}

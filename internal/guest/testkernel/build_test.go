// SPDX-License-Identifier: Apache-2.0

package testkernel

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sockade/sockade/internal/guest"
)

// TestRecipe: the patch has an option for each dialect, and a version of the source
// is a version of the images.
func TestRecipe(t *testing.T) {
	patch, err := recipe.ReadFile("sockets.patch")
	if err != nil {
		t.Fatal(err)
	}
	for _, dialect := range Dialects {
		if option := "+config SECURITY_LANDLOCK_SOCKET_" + strings.ToUpper(dialect) + "\n"; !strings.Contains(string(patch), option) {
			t.Errorf("the patch has no %q", option)
		}
		if _, ok := dialects[dialect]; !ok {
			t.Errorf("%s is not tested", dialect)
		}
	}
	a, errA := version("linux-source-6.12_6.12.1-1")
	b, errB := version("linux-source-6.12_6.12.1-2")
	if errors.Join(errA, errB) != nil || a == b {
		t.Errorf("versions %s and %s, %v", a, b, errors.Join(errA, errB))
	}
}

// TestMissing: a machine that cannot build says what it lacks, by the error that
// callers skip on.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if missing := missingTools(); len(missing) < len(tools) {
		t.Errorf("missing are only %v", missing)
	}
	if _, err := Build(t.Context(), t.TempDir()); !errors.Is(err, guest.ErrMissing) {
		t.Errorf("without any tool: %v", err)
	}
}

// TestLock: one at a time, and nobody waits for ever.
func TestLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a lock that is taken: %v", err)
	}
	unlock()
	unlock, err = lock(t.Context(), file)
	if err != nil {
		t.Fatalf("a lock that is free again: %v", err)
	}
	unlock()
}

// TestBuildFails: what cannot be built is an error, and leaves nothing behind.
func TestBuildFails(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	if err := build(t.Context(), filepath.Join(dir, "build"), "/dev/null", out); err == nil {
		t.Error("a file that is no archive is built")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

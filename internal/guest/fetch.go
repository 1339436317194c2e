// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Package is a Debian package to fetch: of those in the suite that match, the one
// with the highest version in its name.
type Package struct {
	Suite, Arch string // Debian's name of the architecture: amd64, arm64
	Name        *regexp.Regexp
}

// ErrMissing is wrapped by what Fetch returns where there is nothing to fetch: no
// Debian mirror in apt's sources, no such suite on it, no such package in it.
var ErrMissing = errors.New("nothing to fetch")

// fresh is for how long the lists of a suite are not asked for again.
const fresh = 24 * time.Hour

// Fetch returns the path of the file in the newest such package whose name
// matches. It keeps it in the cache directory, by the name and the version of the
// package. apt checks the signatures, with a configuration of its own: the machine's
// stays as it is.
func Fetch(ctx context.Context, cache string, p Package, file *regexp.Regexp) (string, error) {
	apt, err := newApt(ctx, cache, p)
	if err != nil {
		return "", err
	}
	names, err := apt.newest(ctx, p)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		var version string
		if version, err = apt.version(ctx, name); err != nil {
			return "", err
		}
		target := filepath.Join(cache, p.Arch, p.Suite, name+"_"+version)
		if _, err = os.Stat(target); err == nil {
			return target, nil
		}
		if err = apt.fetch(ctx, cache, name, file, target); err == nil || !errors.Is(err, errNoFile) {
			return target, err
		}
	}
	return "", err
}

// errNoFile is a package without the file: another with the same version has it.
var errNoFile = errors.New("no such file in the package")

func (a apt) fetch(ctx context.Context, cache, name string, file *regexp.Regexp, target string) error {
	dir, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := a.run(ctx, dir, "apt-get", "download", name); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download %s left %d packages", name, len(debs))
	}
	return extract(ctx, debs[0], file, target)
}

// apt is a configuration of apt for one suite and architecture.
type apt struct{ options []string }

func newApt(ctx context.Context, cache string, p Package) (apt, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return apt{}, fmt.Errorf("%w: no apt-get: give kernels as files", ErrMissing)
	}
	source, err := debianSource(ctx, p)
	if err != nil {
		return apt{}, err
	}
	dir := filepath.Join(cache, "apt", p.Arch, p.Suite)
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return apt{}, err
		}
	}
	list, status := filepath.Join(dir, "sources.list"), filepath.Join(dir, "status")
	if err := errors.Join(os.WriteFile(list, []byte(source), 0o644), os.WriteFile(status, nil, 0o644)); err != nil {
		return apt{}, err
	}
	a := apt{}
	for _, option := range []string{
		"Dir::State=" + dir, "Dir::State::lists=" + filepath.Join(dir, "lists"), "Dir::State::status=" + status,
		"Dir::Cache=" + filepath.Join(dir, "cache"), "Dir::Etc::sourcelist=" + list, "Dir::Etc::sourceparts=-",
		"APT::Architecture=" + p.Arch, "APT::Architectures=" + p.Arch, "APT::Sandbox::User=root", "Acquire::Languages=none",
	} {
		a.options = append(a.options, "-o", option)
	}
	stamp := filepath.Join(dir, "updated")
	if info, err := os.Stat(stamp); err == nil && time.Since(info.ModTime()) < fresh {
		return a, nil
	}
	if _, err := a.run(ctx, dir, "apt-get", "--error-on=any", "update"); err != nil {
		return apt{}, fmt.Errorf("%w: suite %s: %w", ErrMissing, p.Suite, err)
	}
	return a, os.WriteFile(stamp, nil, 0o644)
}

// debianSource is the machine's own mirror and keyring with another suite.
func debianSource(ctx context.Context, p Package) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(CREATED_BY)|$(LABEL)|$(REPO_URI)").Output()
	if err != nil {
		return "", fmt.Errorf("apt-get indextargets: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if uri, ok := strings.CutPrefix(strings.TrimSpace(line), "Packages|Debian|"); ok {
			return fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, uri, p.Suite), nil
		}
	}
	return "", fmt.Errorf("%w: no Debian mirror among apt's sources: give kernels as files", ErrMissing)
}

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

func (a apt) run(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, slices.Concat(a.options, []string{"-qq"}, args)...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, LastLines(stderr.String(), 1))
	}
	return stdout.Bytes(), nil
}

// newest returns the packages with the highest version; there may be several.
func (a apt) newest(ctx context.Context, p Package) ([]string, error) {
	out, err := a.run(ctx, "", "apt-cache", "pkgnames")
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range strings.Lines(string(out)) {
		if name = strings.TrimSpace(name); p.Name.MatchString(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: suite %s has no package %v", ErrMissing, p.Suite, p.Name)
	}
	newest := slices.MaxFunc(names, byVersion)
	names = slices.DeleteFunc(names, func(name string) bool { return byVersion(name, newest) != 0 })
	slices.Sort(names)
	return names, nil
}

// version returns the version that would be fetched: a name may stay the same.
func (a apt) version(ctx context.Context, name string) (string, error) {
	out, err := a.run(ctx, "", "apt-cache", "show", "--no-all-versions", name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if version, ok := strings.CutPrefix(line, "Version: "); ok {
			return strings.TrimSpace(version), nil
		}
	}
	return "", fmt.Errorf("apt-cache show %s: no version", name)
}

var number = regexp.MustCompile(`\d+`)

// byVersion compares names by the numbers in them: 6.1.0-9 is before 6.1.0-47.
func byVersion(a, b string) int {
	values := func(name string) (v []int) {
		for _, digits := range number.FindAllString(name, -1) {
			n, _ := strconv.Atoi(digits)
			v = append(v, n)
		}
		return v
	}
	return slices.Compare(values(a), values(b))
}

// extract writes the one file of a package whose name matches.
func extract(ctx context.Context, deb string, file *regexp.Regexp, target string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	content, err := readMatch(tar.NewReader(stdout), file)
	_, _ = io.Copy(io.Discard, stdout)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(deb), err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	// A name that is there is whole.
	if err := os.WriteFile(target+".part", content, 0o755); err != nil {
		return err
	}
	return os.Rename(target+".part", target)
}

func readMatch(archive *tar.Reader, file *regexp.Regexp) ([]byte, error) {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: %v", errNoFile, file)
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeReg && file.MatchString(header.Name) {
			return io.ReadAll(archive)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is searched when there is no PATH, as by execvp(3).
const defaultPath = "/bin:/usr/bin"

// lookPath finds a command as execvp(3) does, before anything is restricted. A
// name with a slash is taken as it is. Unlike there, an entry of PATH that is
// not absolute is passed over: whoever owns the current directory must not get
// to choose what runs.
func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			return "", lookError(name, err)
		}
		return name, nil
	}
	path, set := os.LookupEnv("PATH")
	if !set {
		path = defaultPath
	}
	var unusable error
	for dir := range strings.SplitSeq(path, ":") {
		if name == "" || !filepath.IsAbs(dir) {
			continue
		}
		file := strings.TrimRight(dir, "/") + "/" + name
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if unusable == nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			unusable = lookError(file, err)
		}
	}
	if unusable != nil {
		return "", unusable
	}
	return "", &statusError{statusNotFound, fmt.Errorf("command %s: not found in PATH: install it, or give a path such as ./%s", quote(name), name)}
}

// executable tells why a file cannot be executed by this user.
func executable(file string) error {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}

func lookError(file string, err error) error {
	status, hint := statusNotExecutable, ""
	switch {
	case errors.Is(err, unix.ENOENT):
		status, hint = statusNotFound, ": check the path"
	case errors.Is(err, unix.EISDIR):
		hint = ": give a program in it"
	case errors.Is(err, unix.EACCES):
		hint = ": make it executable for this user (chmod +x)"
	}
	return &statusError{status, fmt.Errorf("command %s: %w%s", quote(file), err, hint)}
}

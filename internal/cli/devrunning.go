package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
)

const (
	devFolder   = "orderwalk-dev"
	lockName    = "lock"
	runningName = "running.json"
)

// runningDev is the content of running.json in the folder of dev. dev writes the
// file before its Kafka starts and removes it at an orderly end. If the file
// exists and the folder is not locked, dev was killed.
type runningDev struct {
	PID int `json:"pid"`
	// Settings are the defaults of ORDERWALK_ variables for commands that find
	// dev by its folder. They contain no secret of the user.
	Settings map[string]string `json:"settings"`
}

// devSettings returns the effective settings without secrets. Variables that the
// user sets take precedence over the defaults of dev.
func devSettings(defaults map[string]string) map[string]string {
	settings := map[string]string{}
	for _, v := range config.Variables() {
		switch value := os.Getenv(v.Name); {
		case value != "" && v.Type != "secret":
			settings[v.Name] = value
		case value == "" && defaults[v.Name] != "":
			settings[v.Name] = defaults[v.Name]
		}
	}
	return settings
}

// devFolderFlag is the flag --data of commands that find dev.
type devFolderFlag struct {
	cmd *cobra.Command
	dir *string
}

// dataFlag adds --data to a command.
func dataFlag(cmd *cobra.Command) devFolderFlag {
	dir := cmd.Flags().String("data", devFolder, "`folder` of a running orderwalk dev, used if ORDERWALK_KAFKA_BROKERS is unset")
	completesFolders(cmd, "data")
	return devFolderFlag{cmd, dir}
}

// settings returns the settings of the dev that runs in the folder, if any, and
// reports its use to w. If one of the variables is set, the command needs no dev,
// and an explicit --data is an error.
func (f devFolderFlag) settings(w io.Writer, variables ...string) (map[string]string, error) {
	given := f.cmd.Flags().Changed("data")
	for _, v := range variables {
		if os.Getenv(v) == "" {
			continue
		}
		if given {
			return nil, &usageError{"--data: " + v + " is set too; give one of the two"}
		}
		return nil, nil
	}
	dev := findDev(*f.dir)
	if dev == nil {
		if given {
			return nil, fmt.Errorf("find orderwalk dev: none runs in %s", *f.dir)
		}
		return nil, nil
	}
	fmt.Fprintf(w, "Using the orderwalk dev that runs in %s: Kafka %s, connector %s.\n",
		*f.dir, dev.Settings["ORDERWALK_KAFKA_BROKERS"], dev.Settings["ORDERWALK_LISTEN"])
	return dev.Settings, nil
}

// findDev returns the dev that runs in the folder; nil if none does.
func findDev(dir string) *runningDev {
	text, err := os.ReadFile(filepath.Join(dir, runningName))
	if err != nil {
		return nil
	}
	var dev runningDev
	if err := json.Unmarshal(text, &dev); err != nil {
		return nil
	}
	lock, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return nil
	}
	defer lock.Close()
	if lockFile(lock, true) == nil {
		return nil // the process that wrote the file is dead
	}
	return &dev
}

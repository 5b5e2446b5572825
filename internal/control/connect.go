package control

import (
	"fmt"
	"strings"

	"orderwalk/connector"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
)

// kind is the type of the connectors that shops are to Kafka Connect's tools: each has one
// task.
const kind = "source"

// States of Kafka Connect.
const (
	unassigned = "UNASSIGNED"
	running    = "RUNNING"
	paused     = "PAUSED"
	failed     = "FAILED"
	restarting = "RESTARTING"
	stopped    = "STOPPED"
)

// info is Connect's ConnectorInfo.
type info struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []taskID          `json:"tasks"`
	Type   string            `json:"type"`
}

type taskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// taskInfo is Connect's TaskInfo.
type taskInfo struct {
	ID     taskID            `json:"id"`
	Config map[string]string `json:"config"`
}

// stateInfo is Connect's ConnectorStateInfo.
type stateInfo struct {
	Name      string      `json:"name"`
	Connector connState   `json:"connector"`
	Tasks     []taskState `json:"tasks"`
	Type      string      `json:"type"`
}

type connState struct {
	State   string `json:"state"`
	Worker  string `json:"worker_id"`
	Version string `json:"version"` // of the plugin, as plugins has it
	Trace   string `json:"trace,omitempty"`
}

type taskState struct {
	ID int `json:"id"`
	connState
}

// describe returns a shop's ConnectorInfo.
func (s *Server) describe(shop fleet.Shop) info {
	return info{Name: shop.Name, Config: s.Fleet.Config(shop.Name), Tasks: tasksOf(shop), Type: kind}
}

func tasksOf(s fleet.Shop) []taskID {
	if s.Target == desired.Stopped {
		return []taskID{}
	}
	return []taskID{{s.Name, 0}}
}

// stateOf returns a shop's ConnectorStateInfo.
//
// A shop that failed, or that waits for an act at the vendor's side, is a connector that
// runs and a task that failed: tools show the task's trace, and alerts look for it. A day
// whose calls are used up is no failure, and a range that is published to its end is a
// connector with nothing to do.
func (s *Server) stateOf(shop fleet.Shop) stateInfo {
	state := connState{State: running, Worker: shop.Worker, Version: s.Version}
	out := stateInfo{Name: shop.Name, Type: kind, Connector: state, Tasks: []taskState{}}
	task := taskState{connState: state}
	switch shop.State {
	case connector.StateStopped:
		out.Connector.State = stopped
		return out
	case connector.StatePaused:
		out.Connector.State, task.State = paused, paused
	case connector.StateFailed, connector.StateWaiting:
		task.State, task.Trace = failed, trace(shop)
	case connector.StateStarting, connector.StateElsewhere, fleet.Unknown:
		out.Connector.State, task.State = unassigned, unassigned
	}
	out.Tasks = append(out.Tasks, task)
	return out
}

// trace returns a reason in the form of a Java stack trace, of which tools read the first
// line, or the last line with "Caused by".
func trace(s fleet.Shop) string {
	kind := "orderwalk.ShopFailed"
	if s.State == connector.StateWaiting {
		kind = "orderwalk.ShopWaits"
	}
	reason := strings.Join(strings.Fields(s.Reason), " ")
	return fmt.Sprintf("%s: shop %s is %s\nCaused by: %s: %s\n", kind, s.Name, s.State, kind, reason)
}

// asRestarting shows the parts of a shop that a restart concerns. A failed task keeps its
// trace, and the connector of a stopped shop is shown so too, as Connect does; a connector
// never fails.
func asRestarting(s stateInfo, onlyFailed bool) stateInfo {
	if !onlyFailed {
		s.Connector.State = restarting
	}
	for i, task := range s.Tasks {
		if !onlyFailed || task.State == failed {
			s.Tasks[i].State = restarting
		}
	}
	return s
}

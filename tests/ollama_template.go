// Renders a Modelfile TEMPLATE as Ollama does: `go run ollama_template.go TEMPLATE CONVERSATIONS`.
//
// CONVERSATIONS is a JSON array of what Ollama hands to a template. Prints a JSON object: the prompts, and the tags that
// Ollama would look for in output. It finds them in the template's tree: a tool call's in the first `if` with .ToolCalls,
// a thought's beside .Thinking.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
	"text/template/parse"
)

type arguments map[string]any

func (a arguments) String() string { return text(map[string]any(a)) }

type tool map[string]any

func (t tool) String() string { return text(map[string]any(t)) }

type call struct {
	Function struct {
		Name      string
		Arguments arguments
	}
}

type message struct {
	Role, Content, Thinking string
	ToolCalls               []call
}

type conversation struct {
	Messages          []message
	Tools             []tool
	Think, IsThinkSet bool
}

func text(value any) string {
	raw, err := json.Marshal(value)
	must(err)
	return string(raw)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// lists are the branches of a node in the order in which Ollama looks at them.
func lists(node parse.Node) []*parse.ListNode {
	switch n := node.(type) {
	case *parse.IfNode:
		return []*parse.ListNode{n.List, n.ElseList}
	case *parse.RangeNode:
		return []*parse.ListNode{n.List, n.ElseList}
	}
	return nil
}

// find is the first list of nodes, depth first, whose parent's condition (or, without one, whose own text) has the field.
func find(nodes []parse.Node, fits func(parse.Node) bool) *parse.ListNode {
	for _, node := range nodes {
		if fits(node) {
			return lists(node)[0]
		}
		for _, list := range lists(node) {
			if list != nil {
				if found := find(list.Nodes, fits); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// ifWith tells whether a node is an `if` on a field of this name; a variable's name does not count.
func ifWith(field string) func(parse.Node) bool {
	return func(node parse.Node) bool {
		n, is := node.(*parse.IfNode)
		return is && strings.Contains(" "+n.Pipe.String()+" ", " "+field+" ")
	}
}

// firstText is the first text that is more than space; it does not look behind the first branch.
func firstText(nodes []parse.Node) string {
	for _, node := range nodes {
		if n, is := node.(*parse.TextNode); is && strings.TrimSpace(string(n.Text)) != "" {
			return string(n.Text)
		}
		if inner := lists(node); inner != nil {
			return firstText(inner[0].Nodes)
		}
	}
	return ""
}

func main() {
	raw, err := os.ReadFile(os.Args[1])
	must(err)
	parsed, err := template.New("").Option("missingkey=zero").Parse(string(raw))
	must(err)
	raw, err = os.ReadFile(os.Args[2])
	must(err)
	var asked []conversation
	must(json.Unmarshal(raw, &asked))
	prompts := []string{}
	for _, one := range asked {
		var out strings.Builder
		values := map[string]any{"Messages": one.Messages, "Think": one.Think, "IsThinkSet": one.IsThinkSet}
		if one.Tools != nil {
			values["Tools"] = one.Tools
		}
		must(parsed.Execute(&out, values))
		prompts = append(prompts, out.String())
	}
	root := parsed.Tree.Root.Nodes
	tag := ""
	if calls := find(root, ifWith(".ToolCalls")); calls != nil {
		tag, _, _ = strings.Cut(firstText(calls.Nodes), "{")
	}
	thoughts := []string{"", ""}
	if list := find(root, ifWith(".Thinking")); list != nil {
		thoughts[0] = strings.TrimSpace(list.Nodes[0].String())
		thoughts[1] = strings.TrimSpace(list.Nodes[len(list.Nodes)-1].String())
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"prompts": prompts, "call": strings.TrimSpace(tag), "thoughts": thoughts,
	}))
}

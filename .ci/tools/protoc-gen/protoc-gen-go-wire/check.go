package main

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// checker writes the method CheckWire.
func checker(g *protogen.GeneratedFile, m *protogen.Message) {
	g.P()
	g.P("// CheckWire returns an error if a string in m is not UTF-8, or an unknown field in it is malformed.")
	g.P("func (m *", m.GoIdent, ") CheckWire() error {")
	g.P("if m == nil {")
	g.P("return nil")
	g.P("}")
	for _, f := range m.Fields {
		// Getters know what is absent, and of a oneof what is not meant.
		value := "m.Get" + f.GoName + "()"
		switch {
		case f.Desc.IsMap():
			key, element := f.Message.Fields[0], f.Message.Fields[1]
			switch {
			case isChecked(key) && isChecked(element):
				g.P("for k, v := range ", value, " {")
			case isChecked(key):
				g.P("for k := range ", value, " {")
			case isChecked(element):
				g.P("for _, v := range ", value, " {")
			default:
				continue
			}
			check(g, f, key, "k")
			check(g, f, element, "v")
			g.P("}")
		case !isChecked(f):
		case f.Desc.IsList():
			g.P("for _, v := range ", value, " {")
			check(g, f, f, "v")
			g.P("}")
		default:
			check(g, f, f, value)
		}
	}
	g.P("if len(m.unknownFields) > 0 {")
	g.P("return ", wire.Ident("CheckUnknown"), `("`, m.Desc.FullName(), `", m.unknownFields)`)
	g.P("}")
	g.P("return nil")
	g.P("}")
}

// isChecked says whether values of f are checked: strings and messages.
func isChecked(f *protogen.Field) bool {
	return f.Desc.Kind() == protoreflect.StringKind || f.Message != nil
}

// check checks one value of the type of part, which is field or the key or the value of a map.
func check(g *protogen.GeneratedFile, field, part *protogen.Field, value string) {
	switch {
	case part.Message != nil:
		g.P("if err := ", value, ".CheckWire(); err != nil {")
		g.P("return err")
		g.P("}")
	case isChecked(part):
		g.P("if !", wire.Ident("ValidText"), "(", value, ") {")
		g.P("return ", wire.Ident("InvalidText"), `("`, field.Desc.FullName(), `")`)
		g.P("}")
	}
}

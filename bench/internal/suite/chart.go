package suite

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// bar is one line of a chart.
type bar struct {
	name  string
	value float64
	text  string // the value as it is shown
	ours  bool
}

// The looks of all charts: one column of names, bars to the right of it, ours in the accent color.
const (
	chartWidth = 720
	nameWidth  = 200
	valueWidth = 120
	barHeight  = 22
	barGap     = 8
	headHeight = 44
	ink        = "#1f2933"
	accent     = "#2563c9"
	muted      = "#b8c2cc"
)

// chart draws bars from zero, as an SVG that reads well on a white page.
func chart(w io.Writer, title string, bars []bar) error {
	most := 0.0
	for _, b := range bars {
		most = max(most, b.value)
	}
	height := headHeight + len(bars)*(barHeight+barGap) + barGap
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="system-ui, sans-serif" font-size="13">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprintf(&s, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&s, `<text x="12" y="26" font-size="15" font-weight="600" fill="%s">%s</text>`+"\n", ink, html.EscapeString(title))
	for i, b := range bars {
		y := headHeight + i*(barHeight+barGap)
		length := 0.0
		if most > 0 {
			length = b.value / most * (chartWidth - nameWidth - valueWidth)
		}
		color, weight := muted, "400"
		if b.ours {
			color, weight = accent, "600"
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end" font-weight="%s" fill="%s">%s</text>`+"\n", nameWidth-10, y+16, weight, ink, html.EscapeString(b.name))
		fmt.Fprintf(&s, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n", nameWidth, y, max(length, 1), barHeight, color)
		fmt.Fprintf(&s, `<text x="%.1f" y="%d" fill="%s">%s</text>`+"\n", nameWidth+length+8, y+16, ink, html.EscapeString(b.text))
	}
	s.WriteString("</svg>\n")
	_, err := io.WriteString(w, s.String())
	return err
}

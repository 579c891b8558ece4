#!/bin/sh
# Makes the fonts in this folder from DejaVu 2.37 (fonttools): Latin, Greek, Cyrillic, and in the regular face
# Armenian, Georgian, Hebrew and Arabic; without hints, kerning and features, which a receipt does not use.
set -eu
from=${1:-/usr/share/fonts/truetype/dejavu}
here=$(dirname "$0")
common=U+0020-007E,U+00A0-024F,U+0259,U+02BB-02BD,U+02C6,U+02C7,U+02D8-02DD,U+0300-030C,U+0323,U+0327,U+0328,U+0370-03FF,U+0400-052F
common=$common,U+1E00-1EFF,U+2010-2027,U+2030-203A,U+20A0-20BF,U+2116,U+2122,U+2212,U+FFFD
more=U+0531-0587,U+05D0-05F4,U+0621-063A,U+0641-064A,U+0660-0669,U+067E,U+0686,U+0698,U+06A9,U+06AF,U+06CC,U+06F0-06F9,U+10D0-10FC,U+FE80-FEFC
for face in "DejaVuSans $common,$more" "DejaVuSans-Bold $common"; do
    name=${face% *}
    SOURCE_DATE_EPOCH=0 pyftsubset "$from/$name.ttf" --unicodes="${face#* }" --output-file="$here/$name.ttf" \
        --no-hinting --layout-features= --drop-tables+=GPOS,GSUB,GDEF,kern,MATH,FFTM,gasp --notdef-outline --no-recalc-timestamp
done

# PDFsharp embeds the parts of a glyph, but not the parts of its parts: the Cyrillic ё would lose its dots. Glyphs made of
# composite glyphs get an outline of their own.
python3 - "$here/DejaVuSans.ttf" "$here/DejaVuSans-Bold.ttf" << 'END'
import sys
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

for path in sys.argv[1:]:
    font = TTFont(path, recalcTimestamp=False)
    glyphs, outlines = font.getGlyphSet(), font["glyf"]
    nested = [name for name in font.getGlyphOrder()
              if outlines[name].isComposite() and any(outlines[part.glyphName].isComposite() for part in outlines[name].components)]
    flat = {}
    for name in nested:
        pen, outline = DecomposingRecordingPen(glyphs), TTGlyphPen(None)
        glyphs[name].draw(pen)
        pen.replay(outline)
        flat[name] = outline.glyph()
    for name in nested:
        outlines[name] = flat[name]
    font.save(path)
END

"""Names of the signs that every reader has in the standard Latin fonts (ISO 32000-1, table D.2), and the signs."""

from collections.abc import Mapping

_NAMES = (
    "A AE Aacute Acircumflex Adieresis Agrave Aring Atilde B C Ccedilla D E Eacute Ecircumflex Edieresis Egrave "
    "Eth Euro F G H I Iacute Icircumflex Idieresis Igrave J K L Lslash M N Ntilde O OE Oacute Ocircumflex "
    "Odieresis Ograve Oslash Otilde P Q R S Scaron T Thorn U Uacute Ucircumflex Udieresis Ugrave V W X Y Yacute "
    "Ydieresis Z Zcaron a aacute acircumflex acute adieresis ae agrave ampersand aring asciicircum asciitilde "
    "asterisk at atilde b backslash bar braceleft braceright bracketleft bracketright breve brokenbar bullet c "
    "caron ccedilla cedilla cent circumflex colon comma copyright currency d dagger daggerdbl degree dieresis "
    "divide dollar dotaccent dotlessi e eacute ecircumflex edieresis egrave eight ellipsis emdash endash equal "
    "eth exclam exclamdown f fi five fl florin four fraction g germandbls grave greater guillemotleft "
    "guillemotright guilsinglleft guilsinglright h hungarumlaut hyphen i iacute icircumflex idieresis igrave j k "
    "l less logicalnot lslash m macron minus mu multiply n nine ntilde numbersign o oacute ocircumflex odieresis "
    "oe ogonek ograve one onehalf onequarter onesuperior ordfeminine ordmasculine oslash otilde p paragraph "
    "parenleft parenright percent period periodcentered perthousand plus plusminus q question questiondown "
    "quotedbl quotedblbase quotedblleft quotedblright quoteleft quoteright quotesinglbase quotesingle r "
    "registered ring s scaron section semicolon seven six slash space sterling t thorn three threequarters "
    "threesuperior tilde trademark two twosuperior u uacute ucircumflex udieresis ugrave underscore v w x y "
    "yacute ydieresis yen z zcaron zero"
)
_SIGNS = (
    "AÆÁÂÄÀÅÃBCÇDEÉÊËÈÐ€FGHIÍÎÏÌJKLŁMNÑOŒÓÔÖÒØÕPQRSŠTÞUÚÛÜÙVWXYÝŸZŽaáâ´äæà&å^~*@ãb\\|{}[]˘¦•cˇç¸¢ˆ:,©¤d†‡°¨÷$˙ıeéêëè8…"
    "\N{EM DASH}\N{EN DASH}=ð!¡fﬁ5ﬂƒ4⁄gß`>«»‹›h˝-iíîïìjkl<¬łm¯\N{MINUS SIGN}µ\N{MULTIPLICATION SIGN}n9ñ#oóôöœ˛ò1½¼¹ªºøõ"
    "p¶()%.·‰+±q?¿\"„“”\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}‚'r®˚sš§;76/ "
    "£tþ3¾³˜™2²uúûüù_vwxyýÿ¥zž0"
)
LATIN: Mapping[str, str] = dict(zip(_NAMES.split(), _SIGNS, strict=True))

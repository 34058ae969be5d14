Ø
É™
C
Placeholder
output"dtype"
dtypetype"
shapeshape:
R
StringLength	
input

output"+
unitstringBYTE:
BYTE	UTF8_CHAR"serve*2.21.02v2.21.0-rc1-5-ga481b10260d8ž
\
qPlaceholder*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ*
dtype0*
shape:ÿÿÿÿÿÿÿÿÿ
9
nStringLengthq*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ"ª*i
serving_defaultV

q
q:0ÿÿÿÿÿÿÿÿÿ
n
n:0ÿÿÿÿÿÿÿÿÿtensorflow/serving/predict
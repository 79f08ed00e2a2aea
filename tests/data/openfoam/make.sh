#!/usr/bin/env bash
# Makes the cases of this folder with OpenFOAM 1912 (Debian: apt-get install openfoam). See README.md.
set -euo pipefail
cd "$(dirname "$0")"
export WM_PROJECT_DIR=/usr/share/openfoam
rm -rf box box_binary box_decomposed wedge regions
log=$(mktemp)
run() { "$@" > "$log" 2>&1 || { cat "$log"; exit 1; }; }
head_() { printf 'FoamFile { version 2.0; format ascii; class %s; object %s; }\n' "$1" "$2"; }
control() {
  head_ dictionary controlDict
  printf 'application icoFoam; startFrom startTime; startTime 0; stopAt endTime; endTime %s; deltaT %s;\n' "$1" "$2"
  printf 'writeControl timeStep; writeInterval 1; writeFormat %s; writePrecision 6; writeCompression %s;\n' "$3" "$4"
  printf 'timeFormat general; timePrecision 6; runTimeModifiable false;\n'
}
schemes() {
  head_ dictionary fvSchemes
  printf 'ddtSchemes { default Euler; } gradSchemes { default Gauss linear; } divSchemes { default Gauss linear; }\n'
  printf 'laplacianSchemes { default Gauss linear corrected; } interpolationSchemes { default linear; }\n'
  printf 'snGradSchemes { default corrected; }\n'
}
solution() {
  head_ dictionary fvSolution
  printf 'solvers { p { solver PCG; preconditioner DIC; tolerance 1e-06; relTol 0; } pFinal { $p; }\n'
  printf 'U { solver smoothSolver; smoother symGaussSeidel; tolerance 1e-06; relTol 0; } }\n'
  printf 'PISO { nCorrectors 2; nNonOrthogonalCorrectors 1; }\n'
}
fields() { # patches of inlet, outlet, other conditions
  head_ volScalarField p
  printf 'dimensions [0 2 -2 0 0 0 0]; internalField uniform 0;\nboundaryField { outlet { type fixedValue; value uniform 0; } %s }\n' "$2" > p.tail
  { head_ volScalarField p; cat p.tail; } > 0/p; rm p.tail
  { head_ volVectorField U; printf 'dimensions [0 1 -1 0 0 0 0]; internalField uniform (0 0 0);\nboundaryField { inlet { type fixedValue; value uniform (1 0 0); } outlet { type zeroGradient; } %s }\n' "$1"; } > 0/U
}
start() { # folder end dt format compression
  mkdir -p "$1/system" "$1/constant" "$1/0"
  control "$2" "$3" "$4" "$5" > "$1/system/controlDict"
  schemes > "$1/system/fvSchemes"; solution > "$1/system/fvSolution"
  { head_ dictionary transportProperties; echo 'nu [0 2 -1 0 0 0 0] 0.1;'; } > "$1/constant/transportProperties"
}

# A box of polyhedra: the dual of 3 x 2 x 2 hexahedra, with zones, run for two steps.
start box 0.02 0.01 ascii off
cd box
{ head_ dictionary blockMeshDict
  echo 'vertices ((0 0 0) (3 0 0) (3 2 0) (0 2 0) (0 0 2) (3 0 2) (3 2 2) (0 2 2));'
  echo 'blocks (hex (0 1 2 3 4 5 6 7) (3 2 2) simpleGrading (1 1 1)); edges ();'
  echo 'boundary ( inlet { type patch; faces ((0 4 7 3)); } outlet { type patch; faces ((1 2 6 5)); }'
  echo 'walls { type wall; faces ((0 1 5 4) (3 7 6 2) (0 3 2 1) (4 5 6 7)); } );'; } > system/blockMeshDict
{ head_ dictionary topoSetDict
  echo 'actions ('
  echo '{ name left; type cellSet; action new; source boxToCell; box (-1 -1 -1) (1.2 3 3); }'
  echo '{ name left; type cellZoneSet; action new; source setToCellZone; set left; }'
  echo '{ name middle; type faceSet; action new; source boxToFace; box (0.9 -1 -1) (1.6 3 3); }'
  echo '{ name middle; type faceZoneSet; action new; source setToFaceZone; faceSet middle; }'
  echo '{ name probes; type pointSet; action new; source boxToPoint; box (-1 -1 -1) (0.1 0.1 3); }'
  echo '{ name probes; type pointZoneSet; action new; source setToPointZone; set probes; }'
  echo ');'; } > system/topoSetDict
run blockMesh
run polyDualMesh 75 -overwrite
rm -rf constant/polyMesh/{sets,*Zones}
run topoSet
fields 'walls { type noSlip; }' 'inlet { type zeroGradient; } walls { type zeroGradient; }'
run icoFoam
rm -rf constant/polyMesh/sets [0-9]*/uniform [0-9]*/phi dynamicCode
cd ..

# The same with binary files, packed by gzip.
cp -r box box_binary
control 0.02 0.01 binary on > box_binary/system/controlDict
(cd box_binary; run foamFormatConvert; rm -rf [0-9]*/uniform; gzip -n [0-9]*/* constant/polyMesh/*)

# The same on three processors.
cp -r box box_decomposed
cd box_decomposed
{ head_ dictionary decomposeParDict; echo 'numberOfSubdomains 3; method simple; simpleCoeffs { n (3 1 1); delta 0.001; }'; } > system/decomposeParDict
run decomposePar -time '0:'
rm -rf constant/polyMesh 0 0.0* processor*/[0-9]*/uniform
cd ..

# A pipe as a wedge of five degrees, not run.
start wedge 0.02 0.01 ascii off
cd wedge
{ head_ dictionary blockMeshDict
  echo 'vertices ((0 0 0) (2 0 0) (0 0.99905 -0.043619) (2 0.99905 -0.043619) (0 0.99905 0.043619) (2 0.99905 0.043619));'
  echo 'blocks (hex (0 1 3 2 0 1 5 4) (4 3 1) simpleGrading (1 1 1)); edges ();'
  echo 'boundary ( inlet { type patch; faces ((0 4 2 0)); } outlet { type patch; faces ((1 3 5 1)); }'
  echo 'wall { type wall; faces ((2 4 5 3)); } axis { type empty; faces ((0 1 1 0)); }'
  echo 'back { type wedge; faces ((0 2 3 1)); } front { type wedge; faces ((0 1 5 4)); } );'; } > system/blockMeshDict
run blockMesh
fields 'wall { type noSlip; } axis { type empty; } back { type wedge; } front { type wedge; }' \
  'inlet { type zeroGradient; } wall { type zeroGradient; } axis { type empty; } back { type wedge; } front { type wedge; }'
run icoFoam
rm -rf [0-9]*/uniform [0-9]*/phi
cd ..

# Two regions side by side, not run: the temperature is 300 K in one and 400 K in the other.
start regions 1 1 ascii off
cd regions
{ head_ dictionary blockMeshDict
  echo 'vertices ((0 0 0) (2 0 0) (2 1 0) (0 1 0) (0 0 1) (2 0 1) (2 1 1) (0 1 1) (5 0 0) (5 1 0) (5 0 1) (5 1 1));'
  echo 'blocks (hex (0 1 2 3 4 5 6 7) fluid (2 2 2) simpleGrading (1 1 1) hex (1 8 9 2 5 10 11 6) solid (3 2 2) simpleGrading (1 1 1));'
  echo 'edges (); boundary ( inlet { type patch; faces ((0 4 7 3)); } );'
  echo 'defaultPatch { name rest; type wall; }'; } > system/blockMeshDict
run blockMesh
run splitMeshRegions -cellZones -overwrite
rm -rf constant/polyMesh 0/*
for region in fluid solid; do
  mkdir -p 0/$region
  value=$([ $region = fluid ] && echo 300 || echo 400)
  { head_ volScalarField T; printf 'dimensions [0 0 0 1 0 0 0]; internalField uniform %s;\nboundaryField { ".*" { type zeroGradient; } }\n' $value; } > 0/$region/T
  rm -f constant/$region/polyMesh/*Addressing* constant/$region/polyMesh/*Zones
done
rm -f constant/cellToRegion* constant/regionProperties
cd ..
find . -name "*.obj" -delete

SetFactory("OpenCASCADE");
Box(1) = {0, 0, 0, 2, 1, 1};
Box(2) = {2, 0, 0, 1, 1, 1};
BooleanFragments{ Volume{1}; Delete; }{ Volume{2}; Delete; }
Mesh.MeshSizeMin = 1; Mesh.MeshSizeMax = 1;
Physical Volume("fluid", 7) = {1};
Physical Volume("solid", 8) = {2};
Physical Surface("inlet", 9) = Surface In BoundingBox{-0.01,-0.01,-0.01,0.01,1.01,1.01};
Physical Surface("outlet", 10) = Surface In BoundingBox{2.99,-0.01,-0.01,3.01,1.01,1.01};

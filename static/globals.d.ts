// Tells the type checker the names of Vant's and Element's components, which the build imports on demand.
import 'vant'
import 'element-plus/global'
